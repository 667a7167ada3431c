"""From scans and notes to one table and one array, on a phantom of a few patients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mammoscan.data import mias
from mammoscan.data.mias_regions import SCAN_SIDE
from mammoscan.data.tables import read_folds
from mammoscan.imaging.crops import crop_radius, cut_window
from mammoscan.imaging.views import AUTHOR_VIEWS, make_view
from mammoscan.params import CropParams, PhantomParams, Question, ScanGridParams, ViewParams
from mammoscan.pipelines.mias import nodes
from mammoscan.records.dataset import DatasetRecord

SEVERITY = Question(text="?", about="severity", labels=("benign", "malignant"), positive="malignant")
ABNORMALITY = Question(text="?", about="abnormality", labels=("normal", "abnormal"), positive="abnormal")
WINDOW = CropParams(kind="window", size=48)
RADIUS = CropParams(kind="radius", size=48)
SCALE = 192 / SCAN_SIDE


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> DatasetRecord:
    folder = tmp_path_factory.mktemp("raw")
    return nodes.open_source("phantom", PhantomParams(patients=8, workers=1), False, 2.0, folder)


@pytest.fixture(scope="module")
def notes(record: DatasetRecord) -> tuple[pd.DataFrame, pd.DataFrame]:
    return nodes.clean_notes(record)


@pytest.fixture(scope="module")
def grids(record: DatasetRecord) -> np.ndarray:
    stream = nodes.standardise_scans(record, ScanGridParams())
    array = np.concatenate(list(stream.blocks))
    assert array.shape == stream.shape
    return array


Cut = tuple[pd.DataFrame, np.ndarray]


def cut(
    record: DatasetRecord, grids: np.ndarray, regions: pd.DataFrame, crop: CropParams, stored: Any = "one"
) -> Cut:
    samples, stream = nodes.subsample_rois(record, grids, regions, crop, ViewParams(stored=stored))
    pixels = np.concatenate(list(stream.blocks))
    assert pixels.shape == stream.shape
    return samples, pixels


class TestDataSet:
    def test_the_phantom_says_that_it_is_one(self, record: DatasetRecord) -> None:
        assert (record.kind, record.images, record.patients) == ("phantom", 16, 8)
        assert DatasetRecord.model_validate_json(record.model_dump_json()) == record

    def test_every_row_of_the_notes_is_kept_or_rejected(
        self, notes: tuple[pd.DataFrame, pd.DataFrame]
    ) -> None:
        clean, malformed = notes
        for question in (SEVERITY, ABNORMALITY):
            regions, rejected = nodes.choose_regions(clean, malformed, question)
            assert len(regions) + len(rejected) == len(clean) + len(malformed)
            assert (rejected["reason"].str.len() > 0).all()

    def test_a_grid_holds_the_scan_and_its_mask_in_the_order_of_the_names(
        self, record: DatasetRecord, grids: np.ndarray
    ) -> None:
        assert grids.shape == (len(mias.list_scans(record)), 192, 192, 2)
        assert set(np.unique(grids[..., 1])) == {0, 1}
        inside = grids[..., 0][grids[..., 1] == 1]
        assert abs(inside.mean() - 128) < 4

    def test_the_census_counts_images_of_every_class(self, notes: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        census = nodes.count_census(*notes, ViewParams(stored="twelve"))
        regions, _ = nodes.choose_regions_as_author(*notes, SEVERITY)
        assert (census["group"] != "NORM").sum() == 12 * len(regions)
        assert (census["group"] == "NORM").any()


class TestNormalRegions:
    @pytest.fixture(scope="class")
    def samples(self, record: DatasetRecord, grids: np.ndarray, notes: Any) -> pd.DataFrame:
        regions, _ = nodes.choose_regions(*notes, ABNORMALITY)
        return cut(record, grids, regions, WINDOW)[0]

    @pytest.fixture(scope="class")
    def normals(self, samples: pd.DataFrame) -> pd.DataFrame:
        return samples[samples["group"] == "NORM"]

    def test_there_are_three_a_scan_with_names_of_their_own(self, normals: pd.DataFrame) -> None:
        assert set(normals.groupby("source").size()) == {3}
        assert normals["region_id"].is_unique
        assert normals["region_id"].str.fullmatch(r"mdb\d{3}-[123]").all()

    def test_they_lie_inside_the_breast(
        self, record: DatasetRecord, grids: np.ndarray, normals: pd.DataFrame
    ) -> None:
        position = {name: number for number, name in enumerate(mias.list_scans(record))}
        for _, region in normals.iterrows():
            mask = grids[position[region["source"]], :, :, 1]
            assert mask[int(region["row"] * SCALE), int(region["column"] * SCALE)] == 1

    def test_their_sizes_are_those_of_abnormal_regions(
        self, samples: pd.DataFrame, normals: pd.DataFrame
    ) -> None:
        sizes = set(samples.loc[samples["group"] != "NORM", "radius"])
        assert set(normals["radius"]) <= sizes
        assert len(set(normals["radius"])) > 1

    def test_another_seed_draws_other_places_and_the_same_seed_the_same(
        self, record: DatasetRecord, grids: np.ndarray, notes: Any, samples: pd.DataFrame
    ) -> None:
        regions, _ = nodes.choose_regions(*notes, ABNORMALITY)
        again, _ = cut(record, grids, regions, WINDOW)
        other, _ = cut(record, grids, regions, WINDOW.model_copy(update={"seed": 1}))
        pd.testing.assert_frame_equal(again, samples)
        assert not other["row"].equals(samples["row"])
        abnormal = samples["group"] != "NORM"
        pd.testing.assert_frame_equal(other[abnormal], samples[abnormal])


class TestSamples:
    def test_a_window_is_cut_at_the_published_place_counted_from_the_bottom(
        self, record: DatasetRecord, grids: np.ndarray, notes: Any
    ) -> None:
        regions, _ = nodes.choose_regions(*notes, SEVERITY)
        samples, pixels = cut(record, grids, regions, WINDOW)
        assert list(samples["row"]) == list(SCAN_SIDE - samples["y"])
        assert list(samples["column"]) == list(samples["x"])
        position = {name: number for number, name in enumerate(mias.list_scans(record))}
        for (_, sample), image in zip(samples.iterrows(), pixels, strict=True):
            grid = grids[position[sample["source"]], :, :, 0]
            expected = cut_window(grid, sample["row"], sample["column"], 48, SCALE)
            np.testing.assert_array_equal(image[..., 0], expected)

    def test_the_authors_twelve_have_their_names_and_pixels(
        self, record: DatasetRecord, grids: np.ndarray, notes: Any
    ) -> None:
        regions, _ = nodes.choose_regions_as_author(*notes, SEVERITY)
        samples, pixels = cut(record, grids, regions, RADIUS, "twelve")
        scan = samples["source"].iloc[0].removesuffix(".pgm")
        kinds = ("rotated", "mirr_lr", "mirr_tp")
        names = [f"{scan}_{angle}_{kind}" for angle in (0, 90, 180, 270) for kind in kinds]
        assert list(samples["sample_id"][:12]) == names
        assert samples["sample_id"].is_unique
        assert len(samples) == len(pixels) == 12 * len(regions)
        for start in range(0, len(samples), 12):
            sample = samples.iloc[start]
            raw = mias.read_scan(record, sample["source"])
            crop = crop_radius(raw, sample["row"], sample["column"], sample["radius"], 48)
            for offset, (_, k) in enumerate(AUTHOR_VIEWS):
                np.testing.assert_array_equal(pixels[start + offset, ..., 0], make_view(crop, k))
        assert len({image.tobytes() for image in pixels[:12]}) == 8

    def test_eight_views_are_all_distinct_and_belong_to_one_region(
        self, record: DatasetRecord, grids: np.ndarray, notes: Any
    ) -> None:
        regions, _ = nodes.choose_regions(*notes, SEVERITY)
        samples, pixels = cut(record, grids, regions.head(2), WINDOW, "eight")
        assert samples.groupby("region_id").size().tolist() == [8, 8]
        assert len({image.tobytes() for image in pixels[:8]}) == 8

    def test_one_view_is_named_as_its_region(
        self, record: DatasetRecord, grids: np.ndarray, notes: Any
    ) -> None:
        regions, _ = nodes.choose_regions(*notes, SEVERITY)
        samples, _ = cut(record, grids, regions, WINDOW)
        assert list(samples["sample_id"]) == list(samples["region_id"]) == list(regions["region_id"])


class TestOwnFolds:
    def test_no_file_is_no_division(self) -> None:
        assert read_folds(None) is None

    def test_sample_names_stay_text(self, tmp_path: Path) -> None:
        (tmp_path / "folds.csv").write_text("sample_id,fold_0\n007,test\n")
        assert list(read_folds(tmp_path / "folds.csv")["sample_id"]) == ["007"]

    @pytest.mark.parametrize("content", [None, ""])
    def test_a_file_that_is_no_table_is_named(self, tmp_path: Path, content: str | None) -> None:
        file = tmp_path / "folds.csv"
        if content is not None:
            file.write_text(content)
        with pytest.raises(Exception, match=r"split.file .*folds.csv: found no readable table"):
            read_folds(file)


class TestScales:
    def test_channels_show_the_same_place_nearer_and_farther(
        self, record: DatasetRecord, notes: tuple[pd.DataFrame, pd.DataFrame], grids: np.ndarray
    ) -> None:
        regions, _ = nodes.choose_regions(*notes, ABNORMALITY)
        crop = CropParams(kind="window", size=48, scales=(0.5, 1, 2))
        assert crop.scales == (1, 0.5, 2)
        samples, pixels = cut(record, grids, regions, crop)
        _, plain = cut(record, grids, regions, WINDOW)
        assert pixels.shape == (len(samples), 48, 48, 3)
        assert set(samples["scales"]) == {"1 0.5 2"}
        np.testing.assert_array_equal(pixels[..., :1], plain)
        # The middle half of a window shows what the finer one does, and a window is the middle half of the coarser.
        near = pixels[..., 1].astype(float).reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4))
        far = plain[..., 0].astype(float).reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4))
        assert np.abs(near - plain[:, 12:36, 12:36, 0]).mean() < 4
        assert np.abs(far - pixels[:, 12:36, 12:36, 2]).mean() < 4

    def test_views_turn_all_channels_alike(
        self, record: DatasetRecord, notes: tuple[pd.DataFrame, pd.DataFrame], grids: np.ndarray
    ) -> None:
        regions, _ = nodes.choose_regions(*notes, SEVERITY)
        crop = CropParams(kind="window", size=48, scales=(1, 2))
        _, pixels = cut(record, grids, regions, crop, "eight")
        np.testing.assert_array_equal(pixels[3], make_view(pixels[0], 3))

    @pytest.mark.parametrize("scales", [(0.5, 2), (1, 1), (1, 9), ()])
    def test_scales_that_cannot_be_are_refused(self, scales: tuple[float, ...]) -> None:
        with pytest.raises(ValidationError, match=r"crop\.scales is .*, expected"):
            CropParams(kind="window", scales=scales)
        with pytest.raises(ValidationError, match=r"crop\.scales is .* set crop\.kind to window"):
            CropParams(kind="radius", scales=(1, 2))

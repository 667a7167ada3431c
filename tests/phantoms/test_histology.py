"""The phantoms of stained tissue: the layout is the published one, and the seed alone decides the content."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.data.breakhis import index_breakhis, index_listed
from mammoscan.data.idc import index_idc
from mammoscan.params import PhantomParams
from mammoscan.phantoms import breakhis, idc

PARAMS = PhantomParams(patients=8, seed=3, workers=2)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("breakhis")
    breakhis.write_phantom(folder, PARAMS)
    return folder


@pytest.fixture(scope="module")
def images(tree: Path) -> pd.DataFrame:
    found, rejected = index_breakhis(tree)
    assert rejected.empty
    return found


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("idc")
    idc.write_phantom(folder, PARAMS)
    found, rejected = index_idc(folder)
    assert rejected.empty
    return folder, found


class TestBreakhis:
    def test_every_patient_is_there_with_one_label(self, images: pd.DataFrame) -> None:
        labels = images.groupby("patient_id")["label"].agg(set)
        assert len(labels) == PARAMS.patients
        assert labels.map(len).max() == 1
        assert images.groupby("label")["patient_id"].nunique().to_dict() == {"benign": 4, "malignant": 4}

    def test_all_types_and_magnifications_occur(self, images: pd.DataFrame) -> None:
        assert images["group"].nunique() == 8
        assert set(images["magnification"]) == {"40", "100", "200", "400"}

    def test_it_has_the_warts_of_the_published_set(self, tree: Path, images: pd.DataFrame) -> None:
        slides = images.groupby("patient_id")["slide"].nunique()
        assert slides.max() == 2
        types = images.groupby("patient_id")["group"].nunique()
        assert (types == 2).sum() == 1
        magnifications = images.groupby("patient_id")["magnification"].nunique()
        assert magnifications.min() == 3
        shapes = {Image.open(tree / source).size for source in images["source"]}
        assert shapes == {(700, 460), (700, 456)}

    def test_the_stain_tells_patients_apart_more_than_labels(self, tree: Path, images: pd.DataFrame) -> None:
        colours = np.array(
            [
                np.asarray(Image.open(tree / source).convert("RGB")).reshape(-1, 3).mean(0)
                for source in images["source"]
            ]
        )
        within = pd.DataFrame(colours).groupby(images["patient_id"].to_numpy()).std().mean()
        between = pd.DataFrame(colours).groupby(images["patient_id"].to_numpy()).mean().std()
        assert (between > 1.5 * within).all()

    def test_the_listed_phantom_lists_images_at_400x_that_are_there(self, tmp_path: Path) -> None:
        breakhis.write_listed_phantom(tmp_path, PARAMS)
        listed, rejected = index_listed(tmp_path)
        everything, _ = index_breakhis(tmp_path / "BreaKHis_v1")
        assert rejected.empty
        assert set(listed["magnification"]) == {"400"}
        assert len(listed) == len(everything) * 4 / 5
        assert listed["patient_id"].nunique() == PARAMS.patients


class TestIdc:
    def test_names_and_folders_are_the_published_ones(self, patches: tuple[Path, pd.DataFrame]) -> None:
        _, images = patches
        form = r"IDC_regular_ps50_idx5/(\d+)/([01])/\1_idx5_x\d+_y\d+_class\2\.png"
        assert all(re.fullmatch(form, source) for source in images["source"])
        assert images["patient_id"].nunique() == PARAMS.patients
        assert (images[["x", "y"]] % 50 == 1).all(axis=None)

    def test_most_patches_are_50_pixels_a_side_and_some_at_a_border_smaller(
        self, patches: tuple[Path, pd.DataFrame]
    ) -> None:
        folder, images = patches
        sizes = pd.Series([Image.open(folder / source).size for source in images["source"]])
        assert 0.7 < (sizes == (50, 50)).mean() < 1
        assert sizes.map(max).max() == 50

    def test_the_tumour_lies_in_one_piece_and_not_everywhere(
        self, patches: tuple[Path, pd.DataFrame]
    ) -> None:
        _, images = patches
        share = (images["label"] == "idc").groupby(images["patient_id"]).mean()
        assert 0.1 < share.mean() < 0.6
        assert share.min() < 0.1
        tumour = images[images["label"] == "idc"]
        places = set(zip(tumour["patient_id"], tumour["x"], tumour["y"], strict=True))
        neighbours = [
            any((who, x + dx, y + dy) in places for dx, dy in ((50, 0), (-50, 0), (0, 50), (0, -50)))
            for who, x, y in places
        ]
        assert np.mean(neighbours) > 0.9


@pytest.mark.parametrize(
    "draw",
    [
        lambda seed: breakhis.draw_photograph(breakhis.plan_slides(PARAMS)[0], 400, 0, seed),
        lambda seed: idc.draw_slide(0, seed).picture,
    ],
    ids=["breakhis", "idc"],
)
def test_the_seed_alone_decides_what_is_drawn(draw: Callable[[int], np.ndarray]) -> None:
    first, again, other = draw(3), draw(3), draw(4)
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_tissue_is_pink_and_nuclei_are_darker_and_bluer(tree: Path, images: pd.DataFrame) -> None:
    for source in images["source"][::9]:
        pixels = np.asarray(Image.open(tree / source)).reshape(-1, 3).astype(float)
        red, green, blue = pixels.mean(0)
        assert green < red
        assert green < blue
        dark = pixels[pixels.sum(1) <= np.quantile(pixels.sum(1), 0.05)].mean(0)
        assert dark[2] > dark[0]

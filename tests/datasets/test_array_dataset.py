from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from mammoscan.datasets import ArrayDataset, ArrayStream

PIXELS = np.arange(5 * 4 * 4, dtype=np.uint8).reshape(5, 4, 4, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "05_model_input" / "pixels.npy"


@pytest.fixture
def dataset(file: Path) -> ArrayDataset:
    return ArrayDataset(filepath=str(file))


def stream(*blocks: np.ndarray, rows: int = 5) -> ArrayStream:
    return ArrayStream((rows, 4, 4, 1), "uint8", iter(blocks))


class TestRoundTrip:
    def test_an_array_comes_back_as_it_was(self, dataset: ArrayDataset) -> None:
        dataset.save(PIXELS)
        loaded = dataset.load()
        assert loaded.dtype == np.uint8
        np.testing.assert_array_equal(loaded, PIXELS)

    def test_a_stream_makes_the_same_file_as_the_whole_array(self, dataset: ArrayDataset, file: Path) -> None:
        dataset.save(PIXELS)
        whole = file.read_bytes()
        dataset.save(stream(PIXELS[:2], PIXELS[2:3], PIXELS[3:]))
        assert file.read_bytes() == whole

    def test_an_array_is_mapped_and_cannot_be_changed(self, dataset: ArrayDataset) -> None:
        dataset.save(PIXELS)
        loaded = dataset.load()
        assert isinstance(loaded, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            loaded[0] = 1

    def test_an_empty_stream_is_an_empty_array(self, dataset: ArrayDataset) -> None:
        dataset.save(stream(rows=0))
        assert dataset.load().shape == (0, 4, 4, 1)

    def test_it_exists_once_it_was_saved(self, dataset: ArrayDataset) -> None:
        assert not dataset.exists()
        dataset.save(PIXELS)
        assert dataset.exists()

    def test_a_mapped_array_outlives_the_next_save(self, dataset: ArrayDataset) -> None:
        dataset.save(PIXELS)
        loaded = dataset.load()
        dataset.save(PIXELS + 1)
        np.testing.assert_array_equal(loaded, PIXELS)

    def test_nothing_pickled_is_read(self, dataset: ArrayDataset, file: Path) -> None:
        file.parent.mkdir()
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        with pytest.raises(DatasetError):
            dataset.load()


class TestBrokenStreams:
    @pytest.mark.parametrize(
        ("blocks", "message"),
        [
            ((PIXELS[:4],), "ended after 4 of its 5 rows"),
            ((PIXELS, PIXELS[:1]), "holds more than its 5 rows"),
        ],
    )
    def test_a_stream_of_another_length_leaves_no_file(
        self, dataset: ArrayDataset, file: Path, blocks: tuple[np.ndarray, ...], message: str
    ) -> None:
        with pytest.raises(DatasetError, match=message):
            dataset.save(stream(*blocks))
        assert list(file.parent.iterdir()) == []

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_a_save_that_dies_leaves_the_former_file(
        self, dataset: ArrayDataset, file: Path, error: type[BaseException]
    ) -> None:
        def die() -> Iterator[np.ndarray]:
            yield PIXELS[:2]
            raise error

        dataset.save(PIXELS)
        with pytest.raises((DatasetError, error)):
            dataset.save(ArrayStream(PIXELS.shape, "uint8", die()))
        np.testing.assert_array_equal(dataset.load(), PIXELS)
        assert sorted(path.name for path in file.parent.iterdir()) == [".pixels.npy.seal.json", "pixels.npy"]


class TestPreview:
    @pytest.mark.parametrize("shape", [(30, 4, 6), (30, 4, 6, 1), (30, 4, 6, 2), (30, 4, 6, 3)])
    def test_the_first_images_lie_on_one_sheet(self, dataset: ArrayDataset, shape: tuple[int, ...]) -> None:
        dataset.save(np.full(shape, 7, np.uint8))
        sheet = Image.open(io.BytesIO(base64.b64decode(dataset.preview(images=12))))
        assert sheet.format == "PNG"
        # Six in a row, two pixels between them.
        assert sheet.size == (6 * (6 + 2) + 2, 2 * (4 + 2) + 2)

    def test_features_are_one_image_with_a_row_for_each(self, dataset: ArrayDataset) -> None:
        features = np.linspace(-3, 5, 30 * 7, dtype=np.float32).reshape(30, 7)
        dataset.save(features)
        sheet = Image.open(io.BytesIO(base64.b64decode(dataset.preview(images=12))))
        assert sheet.size == (7 + 4, 12 + 4)
        shown = np.asarray(sheet)[2:-2, 2:-2].ravel().astype(int)
        assert (shown[0], shown[-1]) == (0, 255)
        assert (np.diff(shown) >= 0).all()

    def test_values_that_are_all_alike_can_be_shown_too(self, dataset: ArrayDataset) -> None:
        dataset.save(np.ones((2, 4, 6), np.float32))
        assert np.asarray(Image.open(io.BytesIO(base64.b64decode(dataset.preview())))).max() == 255

    def test_kedro_viz_knows_it_by_the_name_of_its_type(self) -> None:
        assert ArrayDataset.preview.__annotations__["return"] == "ImagePreview"

"""From a picture of any size to what the network takes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Picture, decode_image, read_picture
from mammoscan.imaging.scan_grid import standardise_scan
from mammoscan.params import ScanGridParams
from mammoscan.records.card import ImageInput, ModelInput, WindowInput
from mammoscan.serving.prepare_input import check_content, fit_picture, is_whole_scan, prepare_whole_scan
from pictures import encode_dicom

WINDOW = WindowInput(kind="window", size=48, grid=ScanGridParams(size=192, margin=2))
SHAPE = (48, 48, 1)


def make_image(size: tuple[int, int], channels: int) -> ImageInput:
    return ImageInput(kind="image", size=size, channels=channels)


def draw(*shape: int) -> Picture:
    return Picture(np.random.default_rng(0).integers(1, 256, shape).astype(np.uint8), "png", name="x.png")


def test_a_picture_of_the_networks_size_goes_in_as_it_is() -> None:
    picture = draw(48, 48)
    pixels, notes = fit_picture(picture, WINDOW, SHAPE)
    np.testing.assert_array_equal(pixels[..., 0], picture.array)
    assert notes == ["taken as it is: 48 x 48 pixels, already cut and standardised"]


def test_the_window_is_that_of_the_training() -> None:
    assert WINDOW.window_side == 256


def test_a_crop_is_shrunk_by_areas_and_standardised_over_itself() -> None:
    picture = draw(96, 96)
    pixels, notes = fit_picture(picture, WINDOW, SHAPE)
    means = np.asarray(Image.fromarray(picture.array).resize((48, 48), Image.Resampling.BOX))
    np.testing.assert_array_equal(pixels[..., 0], standardise_scan(means, means > 0))
    assert abs(pixels.mean() - 128) < 1
    assert "256 x 256" in notes[-1]


def test_what_is_no_square_gives_its_middle() -> None:
    pixels, notes = fit_picture(draw(60, 100), WINDOW, SHAPE)
    assert pixels.shape == SHAPE
    assert "the middle 60 x 60" in notes[0]


def test_a_whole_scan_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(MammoscanError, match=r"x\.png is 512 x 600 pixels, a whole scan.*256 x 256.*map"):
        fit_picture(draw(600, 512), WINDOW, SHAPE)
    assert is_whole_scan(draw(600, 512), WINDOW)
    assert not is_whole_scan(draw(511, 600), WINDOW)
    assert not is_whole_scan(draw(600, 600), make_image((8, 8), 1))


def test_the_articles_crop_is_only_resized_by_its_filter() -> None:
    picture = draw(96, 96)
    pixels, notes = fit_picture(picture, WindowInput(kind="radius", size=48, grid=ScanGridParams()), SHAPE)
    np.testing.assert_array_equal(pixels[..., 0], np.asarray(Image.fromarray(picture.array).resize((48, 48))))
    assert notes == []


def test_sixteen_bits_are_stretched_and_it_is_said() -> None:
    deep = Picture(np.linspace(1000, 3000, 48 * 48).reshape(48, 48).astype(np.uint16), "png")
    pixels, notes = fit_picture(deep, WINDOW, SHAPE)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert "1000 to 3000" in notes[0]


def take(shape: tuple[int, ...]) -> ModelInput:
    return ModelInput(input=ImageInput(kind="image", size=shape[:2], channels=shape[2]), shape=shape)


@pytest.mark.parametrize(
    ("found", "channels", "word"), [((48, 48, 3), 1, "a colour image"), ((48, 48), 3, "a grey image")]
)
def test_other_channels_are_fitted_with_a_warning(found: tuple[int, ...], channels: int, word: str) -> None:
    picture, shape = draw(*found), (48, 48, channels)
    pixels, _ = fit_picture(picture, ImageInput(kind="image", size=(48, 48), channels=channels), shape)
    assert pixels.shape == shape
    assert word in check_content(picture, take(shape))[0]


class TestContent:
    @pytest.mark.parametrize("value", [0, 77, 255])
    def test_a_blank_image_is_refused(self, value: int) -> None:
        for shape in [(60, 60), (60, 60, 3)]:
            with pytest.raises(MammoscanError, match="x is blank: every pixel has the value"):
                check_content(Picture(np.full(shape, value, np.uint8), "png", name="x"), take(SHAPE))

    @pytest.mark.parametrize("shape", [(1, 1), (1, 8), (15, 100)])
    def test_what_is_smaller_than_any_image_of_a_study_is_refused(self, shape: tuple[int, int]) -> None:
        with pytest.raises(MammoscanError, match="expected at least 16 x 16"):
            check_content(draw(*shape), take(SHAPE))

    def test_an_image_that_shows_next_to_nothing_is_warned_of(self) -> None:
        faint = np.random.default_rng(0).integers(100, 103, (60, 60)).astype(np.uint8)
        assert (
            "nearly blank: its grey levels differ by" in check_content(Picture(faint, "png"), take(SHAPE))[0]
        )
        dot = np.zeros((200, 200), np.uint8)
        dot[:12, :12] = 255
        assert "99.6 % of its pixels" in check_content(Picture(dot, "png"), take(SHAPE))[0]
        deep = dot.astype(np.uint16) * 256
        assert "99.6 % of its pixels" in check_content(Picture(deep, "png"), take(SHAPE))[0]

    def test_a_small_image_is_warned_of(self) -> None:
        assert "only 20 x 20 pixels" in check_content(draw(20, 20), take(SHAPE))[0]

    def test_an_ordinary_image_has_no_warning(self) -> None:
        assert check_content(draw(300, 200), take(SHAPE)) == []
        film = np.zeros((400, 300), np.uint8)
        film[100:300, :120] = draw(200, 120).array
        assert check_content(Picture(film, "pgm"), take(SHAPE)) == []

    def test_a_whole_scan_whose_square_would_fill_the_memory_is_refused(self) -> None:
        with pytest.raises(MammoscanError, match="expected sides of at most 10000"):
            prepare_whole_scan(np.zeros((20_000, 2_500), np.uint8), WINDOW)


class TestImages:
    @staticmethod
    def encode(array: np.ndarray, kind: str, **options: Any) -> bytes:
        content = io.BytesIO()
        Image.fromarray(array).save(content, kind, **options)
        return content.getvalue()

    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_a_file_is_read_just_as_in_training(self, kind: str) -> None:
        content = self.encode(draw(300, 200, 3).array, kind)
        pixels, notes = fit_picture(
            read_picture(content, "x"), ImageInput(kind="image", size=(32, 24), channels=3), (32, 24, 3)
        )
        np.testing.assert_array_equal(pixels, decode_image(content, (32, 24), 3).pixels)
        assert notes == []

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "DICOM", "NIfTI"])
    def test_sixteen_bits_are_read_just_as_in_training(self, kind: str) -> None:
        values = np.random.default_rng(0).integers(0, 65536, (40, 30)).astype(np.uint16)
        if kind == "DICOM":
            content = encode_dicom(values)
        elif kind == "NIfTI":
            nibabel = pytest.importorskip("nibabel")
            content = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
        else:
            content = self.encode(values, kind)
        picture = read_picture(content, "x")
        assert picture.array.dtype == np.uint16
        assert len(np.unique(picture.array)) > 1000
        pixels, _ = fit_picture(picture, make_image((16, 12), 1), (16, 12, 1))
        np.testing.assert_array_equal(pixels, decode_image(content, (16, 12), 1).pixels)

    def test_what_training_leaves_out_is_stretched_and_it_is_said(self) -> None:
        content = self.encode(draw(30, 20).array.astype(np.uint16) * 16, "PNG")
        pixels, notes = fit_picture(
            read_picture(content, "x"), ImageInput(kind="image", size=(8, 8), channels=1), (8, 8, 1)
        )
        assert pixels.shape == (8, 8, 1)
        assert "16 bits" in notes[0]

    def test_a_picture_without_its_file_is_resized_whole(self) -> None:
        picture = draw(30, 20)
        pixels, _ = fit_picture(picture, make_image((8, 8), 1), (8, 8, 1))
        expected = Image.fromarray(picture.array).resize((8, 8), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(pixels[..., 0], np.asarray(expected))

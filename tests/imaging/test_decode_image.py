from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mammoscan.imaging import image_reader
from mammoscan.imaging.image_reader import UnreadableImageError, decode_image, read_picture
from mammoscan.records.card import ImageInput
from mammoscan.serving.prepare_input import fit_picture
from pictures import encode_dicom

GREY = np.tile(np.linspace(20, 230, 60).astype(np.uint8), (40, 1))


def encode(image: Image.Image, form: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=form, **options)
    return stream.getvalue()


def test_an_image_is_stretched_to_the_size_asked_for_and_its_own_size_told() -> None:
    image = decode_image(encode(Image.fromarray(GREY)), (20, 10), 1)
    assert image.pixels.shape == (20, 10, 1)
    assert image.pixels.dtype == np.uint8
    assert (image.width, image.height, image.colour) == (60, 40, "grey")
    np.testing.assert_allclose(image.pixels[10, :, 0], np.linspace(29, 221, 10), atol=3)


def test_grey_becomes_three_equal_channels_and_colour_one_by_luminance() -> None:
    three = decode_image(encode(Image.fromarray(GREY)), (40, 60), 3).pixels
    assert (three == GREY[..., None]).all()
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    decoded = decode_image(encode(Image.fromarray(red)), (8, 8), 1)
    assert (decoded.pixels == 76).all()
    assert decoded.colour == "colour"


@pytest.mark.parametrize("form", ["BMP", "TIFF", "PPM", "WEBP"])
def test_the_content_decides_what_a_file_is(form: str) -> None:
    image = decode_image(encode(Image.fromarray(GREY), form), (40, 60), 1)
    assert np.abs(image.pixels[..., 0].astype(int) - GREY).max() <= 12


def test_a_large_jpeg_is_shrunk_while_it_is_unpacked_with_nearly_the_same_result() -> None:
    large = Image.fromarray(GREY).resize((1200, 800), Image.Resampling.BICUBIC)
    for image in (large, large.convert("RGB")):
        small = decode_image(encode(image, "JPEG", quality=95), (40, 60), 1)
        assert (small.width, small.height) == (1200, 800)
        assert np.abs(small.pixels[..., 0].astype(int) - GREY).max() <= 4


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_exif_mark_turns_an_image_upright(orientation: int) -> None:
    turns = {
        1: None,
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(GREY)
    if turns[orientation] is not None:
        stored = stored.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encode(stored, "JPEG", quality=95, exif=exif), (40, 60), 1)
    assert (image.width, image.height) == (60, 40)
    assert np.abs(image.pixels[..., 0].astype(int) - GREY).max() <= 4


def test_palette_cmyk_transparent_and_two_tone_images_become_plain_ones() -> None:
    colour = Image.fromarray(np.dstack([GREY, GREY // 2, 255 - GREY]))
    expected = np.asarray(colour).astype(int)
    for image, form, slack in (
        (colour.quantize(256), "PNG", 8),
        (colour.convert("CMYK"), "TIFF", 1),
        (colour.convert("RGBA"), "PNG", 0),
    ):
        decoded = decode_image(encode(image, form), (40, 60), 3).pixels.astype(int)
        assert np.abs(decoded - expected).max() <= slack, image.mode
    two_tone = decode_image(encode(Image.fromarray(GREY > 100)), (40, 60), 1).pixels
    assert set(np.unique(two_tone)) == {0, 255}


def test_sixteen_bits_are_reduced_over_their_whole_range() -> None:
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    for form in ("PNG", "TIFF"):
        image = decode_image(encode(deep, form), (40, 60), 1)
        assert (image.pixels[..., 0] == GREY).all()
        assert image.colour == "grey"


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.fromarray(GREY.astype(np.uint16) * 16), "values up to 3680 are used"),
        (Image.fromarray(GREY.astype(np.int32) * 1000), "values from 20000 to 230000, expected 8 or 16 bits"),
        (Image.fromarray(GREY.astype(np.float32)), "pixels are fractions"),
    ],
    ids=["twelve bits in sixteen", "thirty-two bits", "fractions"],
)
def test_an_image_of_unknown_brightness_is_refused(image: Image.Image, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        decode_image(encode(image, "TIFF"), (8, 8), 1)


def test_what_is_no_image_or_a_broken_one_is_refused_with_a_reason() -> None:
    with pytest.raises(UnreadableImageError, match="its content is no image that can be read here"):
        decode_image(b"these are words", (8, 8), 1)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    for form in ("PNG", "JPEG"):
        whole = encode(noise, form)
        with pytest.raises(UnreadableImageError, match="broken: "):
            decode_image(whole[: len(whole) // 2], (8, 8), 1)


def test_a_small_file_that_holds_a_huge_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_reader, "MAX_PIXELS", 2000)
    with pytest.raises(UnreadableImageError, match="60 x 40 pixels, expected 2,000 at most"):
        decode_image(encode(Image.fromarray(GREY)), (8, 8), 1)


def test_twelve_bits_are_taken_where_it_is_said_that_they_are() -> None:
    twelve = Image.fromarray((GREY.astype(float) * 4095 / 255).round().astype(np.uint16))
    image = decode_image(encode(twelve, "PNG"), (40, 60), 1, levels=4096)
    assert (image.pixels[..., 0] == GREY).all()


def test_several_pictures_in_one_file_are_refused() -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadableImageError, match="2 pictures in one file, expected one"):
        decode_image(content, (8, 8), 1)


class TestDicom:
    def test_it_is_displayed_as_its_header_says_and_low_values_may_be_bright(self) -> None:
        plain, inverted = (
            decode_image(encode_dicom(GREY, PhotometricInterpretation=kind), (40, 60), 1)
            for kind in ("MONOCHROME2", "MONOCHROME1")
        )
        assert (plain.pixels[..., 0] == GREY).all()
        assert (inverted.pixels == 255 - plain.pixels).all()
        assert (plain.width, plain.height, plain.colour) == (60, 40, "grey")

    def test_sixteen_bits_go_through_the_files_window(self) -> None:
        deep = GREY.astype(np.uint16) * 10
        image = decode_image(encode_dicom(deep, WindowCenter="1275.5", WindowWidth="2551"), (40, 60), 1)
        assert np.abs(image.pixels[..., 0].astype(int) - GREY).max() <= 1

    def test_what_cannot_be_shown_has_a_reason(self) -> None:
        with pytest.raises(UnreadableImageError, match="the file is a DICOM file without a picture"):
            decode_image(encode_dicom(GREY, PixelData=None), (8, 8), 1)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "DICOM"])
@pytest.mark.parametrize("channels", [1, 3])
def test_training_and_predicting_read_a_file_to_the_same_pixels(form: str, channels: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    if form == "DICOM":
        content = encode_dicom(colours[..., 0], PhotometricInterpretation="MONOCHROME1")
    else:
        content = encode(Image.fromarray(colours), form)
    trained = decode_image(content, (24, 32), channels).pixels
    how = ImageInput(kind="image", size=(24, 32), channels=channels)
    served, _ = fit_picture(read_picture(content, "x"), how, (24, 32, channels))
    np.testing.assert_array_equal(served, trained)

"""Whatever the bytes, the outcome is a picture with notes or a one-line error."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless

from mammoscan.errors import MammoscanError
from mammoscan.imaging.dicom import read_dicom
from mammoscan.imaging.image_reader import Limits, read_picture
from pictures import encode_dicom

GREY = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def refuse(content: bytes, name: str = "x.png", limits: Limits | None = None) -> str:
    with pytest.raises(MammoscanError) as caught:
        read_picture(content, name, limits)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(name)
    return message


class TestImages:
    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
    def test_grey_comes_as_it_is(self, kind: str) -> None:
        picture = read_picture(encode(Image.fromarray(GREY), kind), "x")
        np.testing.assert_array_equal(picture.array, GREY)
        assert picture.kind == {"PNG": "png", "TIFF": "tiff", "PPM": "pgm"}[kind]
        assert picture.notes == []

    def test_the_content_decides_and_not_the_name(self) -> None:
        assert read_picture(encode(Image.fromarray(COLOUR), "JPEG"), "x.png").kind == "jpeg"

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
    def test_sixteen_bits_stay_sixteen(self, kind: str) -> None:
        deep = GREY.astype(np.uint16) * 16
        picture = read_picture(encode(Image.fromarray(deep), kind), "x")
        np.testing.assert_array_equal(picture.array, deep)
        assert picture.array.dtype == np.uint16

    def test_what_is_turned_by_its_mark_is_set_upright_and_said(self) -> None:
        exif = Image.Exif()
        exif[274] = 6
        picture = read_picture(encode(Image.fromarray(GREY), "PNG", exif=exif), "x")
        np.testing.assert_array_equal(picture.array, np.rot90(GREY, -1))
        assert picture.notes == ["rotated upright, as its EXIF orientation says"]

    @pytest.mark.parametrize(
        ("mode", "kind", "shape", "word"),
        [
            ("P", "PNG", (20, 30, 3), "palette"),
            ("CMYK", "JPEG", (20, 30, 3), "CMYK"),
            ("1", "PNG", (20, 30), "1 bit"),
        ],
    )
    def test_other_kinds_of_pixels_become_plain_and_it_is_said(
        self, mode: str, kind: str, shape: tuple[int, ...], word: str
    ) -> None:
        picture = read_picture(encode(Image.fromarray(COLOUR).convert(mode), kind), "x")
        assert (picture.array.dtype, picture.array.shape) == (np.uint8, shape)
        assert len(picture.notes) == 1
        assert word in picture.notes[0]

    def test_transparency_is_dropped_and_said_only_where_there_is_some(self) -> None:
        full = np.concatenate([COLOUR, np.full((20, 30, 1), 255, np.uint8)], axis=-1)
        assert read_picture(encode(Image.fromarray(full), "PNG"), "x").notes == []
        full[0, 0, 3] = 7
        picture = read_picture(encode(Image.fromarray(full), "PNG"), "x")
        np.testing.assert_array_equal(picture.array, COLOUR)
        assert picture.notes == ["transparency was dropped"]
        palette = Image.fromarray(COLOUR).convert("P")
        seen = int(np.asarray(palette)[0, 0])
        assert len(read_picture(encode(palette, "PNG", transparency=seen), "x").notes) == 2

    def test_what_is_no_picture_is_refused_in_one_line(self) -> None:
        assert "empty" in refuse(b"")
        assert "PNG, JPEG, PGM, TIFF, BMP, WebP, GIF, DICOM or NIfTI" in refuse(b"<svg></svg>")
        assert "get the file again" in refuse(encode(Image.fromarray(GREY), "PNG")[:200])
        assert "kind F" in refuse(encode(Image.fromarray(GREY.astype(np.float32)), "TIFF"))
        assert "-5" in refuse(encode(Image.fromarray(GREY.astype(np.int32) - 5), "TIFF"))

    def test_several_pages_are_refused(self) -> None:
        pages = [Image.fromarray(GREY)] * 3
        assert "3 pictures" in refuse(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))

    def test_what_would_fill_the_memory_is_refused_by_its_header(self) -> None:
        assert "bytes" in refuse(encode(Image.fromarray(GREY), "PNG"), limits=Limits(bytes=100))
        assert "600" not in refuse(encode(Image.fromarray(GREY), "PNG"), limits=Limits(pixels=599))
        read_picture(encode(Image.fromarray(GREY), "PNG"), "x", Limits(pixels=600))
        assert "pixels" in refuse(b"P5\n100000 100000\n255\n")
        assert "9000 x 9000" in refuse(b"P5\n9000 9000\n255\n")

    def test_a_strip_is_refused_since_a_scan_is_padded_to_its_longer_side(self) -> None:
        assert "longer side of at most 8 times" in refuse(b"P5\n512 97656\n255\n")
        content = encode(Image.new("L", (512, 30_000)), "PNG")
        assert "512 x 30000" in refuse(content)

    def test_a_large_pgm_in_text_form_is_refused_before_it_is_parsed(self) -> None:
        small = b"P2\n3 2\n255\n" + b"7 " * 6
        np.testing.assert_array_equal(read_picture(small, "x").array, np.full((2, 3), 7))
        assert "binary PGM" in refuse(b"P2\n4000 4000\n255\n" + b"7 " * 16_000_000)


class TestDicom:
    def test_eight_bits_come_as_they_are(self) -> None:
        picture = read_picture(encode_dicom(GREY), "x.dcm")
        np.testing.assert_array_equal(picture.array, GREY)
        assert (picture.kind, picture.notes) == ("dicom", [])
        np.testing.assert_array_equal(read_picture(encode_dicom(COLOUR), "x").array, COLOUR)

    def test_low_values_are_bright_in_monochrome1(self) -> None:
        picture = read_picture(encode_dicom(GREY, PhotometricInterpretation="MONOCHROME1"), "x.dcm")
        np.testing.assert_array_equal(picture.array, 255 - GREY)
        assert "MONOCHROME1" in picture.notes[0]

    def test_the_first_window_of_rescaled_values_is_shown(self) -> None:
        stored = np.array([[0, 50, 100, 150, 200]], np.int16)
        content = encode_dicom(
            stored, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=[100.5, 7], WindowWidth=[201, 9]
        )
        picture = read_picture(content, "x.dcm")
        # By the standard: black below 0, white above 200; the values are -100, 0, 100, 200, 300.
        np.testing.assert_array_equal(picture.array, [[0, 0, 128, 255, 255]])
        assert "centre 100.5 and width 201" in picture.notes[0]

    @pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT"])
    def test_the_middle_of_other_windows_is_grey(self, function: str) -> None:
        stored = np.array([[0, 500, 1000]], np.uint16)
        content = encode_dicom(stored, WindowCenter=500, WindowWidth=400, VOILUTFunction=function)
        dark, middle, bright = read_picture(content, "x.dcm").array[0]
        assert dark < 10
        assert middle == 128
        assert bright > 245

    def test_without_a_window_all_values_are_kept(self) -> None:
        stored = GREY.astype(np.uint16) * 10 + 300
        picture = read_picture(encode_dicom(stored), "x.dcm")
        assert (picture.array.min(), picture.array.max()) == (0, 65535)
        assert "no window" in picture.notes[0]

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"NumberOfFrames": 12}, "12 frames"),
            ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
            ({"PixelData": None}, "without a picture"),
            ({"Rows": 60000, "Columns": 60000}, "60000 x 60000"),
            ({"Rows": 200}, "get the file again"),
        ],
    )
    def test_what_cannot_be_shown_is_refused_with_its_reason(
        self, changes: dict[str, Any], word: str
    ) -> None:
        assert word in refuse(encode_dicom(GREY, **changes), "x.dcm")

    def test_a_compression_without_a_decoder_is_named(self) -> None:
        message = refuse(encode_dicom(GREY, JPEGLSLossless), "x.dcm")
        assert "JPEG-LS Lossless" in message
        assert "uncompressed" in message

    def test_a_deflated_file_is_read(self) -> None:
        content = encode_dicom(GREY, DeflatedExplicitVRLittleEndian)
        np.testing.assert_array_equal(read_picture(content, "x.dcm").array, GREY)

    def test_a_deflated_bomb_is_refused_without_being_unpacked(self) -> None:
        content = encode_dicom(GREY, DeflatedExplicitVRLittleEndian, ImageComments="x" * 30_000_000)
        assert len(content) < 100_000
        tracemalloc.start()
        assert "unpacks to more than" in refuse(content, "x.dcm", Limits(pixels=10_000))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()

    @pytest.mark.parametrize(
        "changes",
        [
            {"WindowCenter": "", "WindowWidth": ""},
            {"WindowCenter": None, "WindowWidth": 100},
            {"WindowCenter": ["", ""], "WindowWidth": ["", ""]},
            {"VOILUTSequence": []},
            {"VOILUTSequence": [Dataset()]},
            {"RescaleSlope": "", "RescaleIntercept": ""},
            {"ModalityLUTSequence": []},
            {"ModalityLUTSequence": [Dataset()]},
            {"NumberOfFrames": ""},
            {"VOILUTFunction": ""},
        ],
        ids=str,
    )
    def test_empty_elements_of_the_header_are_ignored(self, changes: dict[str, Any]) -> None:
        content = encode_dicom(GREY, **{key: value for key, value in changes.items() if value is not None})
        np.testing.assert_array_equal(read_picture(content, "x.dcm").array, GREY)

    @pytest.mark.parametrize(
        "changes",
        [
            {"WindowCenter": 1e400, "WindowWidth": 1},
            {"BitsAllocated": 12},
            {"PixelRepresentation": 7},
            {"SamplesPerPixel": 2},
        ],
        ids=str,
    )
    def test_an_invalid_header_is_a_reason_and_no_type_of_an_exception(self, changes: dict[str, Any]) -> None:
        message = refuse(encode_dicom(GREY, **changes), "x.dcm")
        assert "TypeError" not in message
        assert "AttributeError" not in message

    def test_the_window_can_be_left_out_so_that_all_grey_levels_are_kept(self) -> None:
        stored = GREY.astype(np.uint16) * 10
        content = encode_dicom(stored, WindowCenter=500, WindowWidth=10)
        shown, _ = read_dicom(content, "x.dcm", Limits(), windowed=False)
        assert shown.dtype == np.uint16
        assert len(np.unique(shown)) == len(np.unique(GREY))

    def test_only_its_mark_makes_a_file_dicom(self) -> None:
        assert "the mark DICM" in refuse(bytes(500), "x.dcm")

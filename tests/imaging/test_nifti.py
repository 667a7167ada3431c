"""NIfTI slices, and marks that DICOM headers tell of."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from mammoscan.data.own_images import open_own_images
from mammoscan.errors import MammoscanError
from mammoscan.imaging.dicom import BURNT_IN, OVERLAY
from mammoscan.imaging.image_reader import Limits, UnreadableImageError, decode_image, read_picture
from mammoscan.params import ImagesParams
from pictures import encode_dicom

nibabel = pytest.importorskip("nibabel")
SLICE = np.arange(35, dtype=np.int16).reshape(5, 7) * 100 - 500


def encode(
    values: np.ndarray, flips: tuple[int, ...] = (1, 1, 1), kind: Any = None, **header: float
) -> bytes:
    image = (kind or nibabel.Nifti1Image)(values, np.diag([*flips, 1]).astype(float))
    for name, value in header.items():
        image.header[name] = value
    return bytes(image.to_bytes())


def read(content: bytes, name: str = "a.nii", **limits: int) -> np.ndarray:
    return read_picture(content, name, Limits(**limits) if limits else None).array


def refuse(content: bytes, **limits: int) -> str:
    with pytest.raises(MammoscanError) as caught:
        read(content, **limits)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("depth", [(), (1,)])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_slice_keeps_sixteen_bits_with_its_first_axis_to_the_right(
    depth: tuple[int, ...], kind: Any
) -> None:
    content = encode(SLICE.reshape(5, 7, *depth), kind=kind)
    shown = read(content)
    assert shown.dtype == np.uint16
    np.testing.assert_array_equal(shown, np.rint((SLICE.T[::-1] + 500) / 3400 * 65535))
    np.testing.assert_array_equal(shown, read(gzip.compress(content), "no name of its own"))


def test_a_mirrored_file_is_turned_as_its_header_says() -> None:
    plain = read(encode(SLICE[..., None]))
    np.testing.assert_array_equal(plain, read(encode(SLICE[::-1, :, None], flips=(-1, 1, 1))))
    np.testing.assert_array_equal(plain, read(encode(SLICE[:, ::-1, None], flips=(1, -1, 1))))


def test_bytes_stay_as_they_are_and_a_display_range_is_kept_to() -> None:
    values = np.arange(35, dtype=np.uint8).reshape(5, 7)
    np.testing.assert_array_equal(read(encode(values)), values.T[::-1])
    shown = read(encode(SLICE, cal_min=0, cal_max=1000))
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, np.rint(np.clip(SLICE.T[::-1] / 1000, 0, 1) * 255))


def test_training_sees_what_predicting_and_serving_read() -> None:
    content = encode(SLICE)
    whole = np.rint(read(content) * (255 / 65535)).astype(np.uint8)
    decoded = decode_image(content, (7, 5), 1)
    np.testing.assert_array_equal(decoded.pixels[..., 0], whole)
    assert (decoded.width, decoded.height, decoded.colour) == (5, 7, "grey")


def test_what_is_no_slice_is_one_line() -> None:
    assert "holds 5 x 7 x 3 values, expected one slice" in refuse(encode(np.zeros((5, 7, 3), np.int16)))
    assert "cannot be read as NIfTI" in refuse(encode(SLICE)[:360])
    assert "not numbers" in refuse(encode(np.full((5, 7), np.nan, np.float32)))
    assert "make it smaller" in refuse(encode(SLICE), pixels=30)
    assert "cannot be read as NIfTI" in refuse(b"nothing of the kind")
    with pytest.raises(UnreadableImageError, match="expected one slice"):
        decode_image(encode(np.zeros((5, 7, 3), np.int16)), (4, 4), 1)


def test_a_compressed_file_cannot_fill_the_memory() -> None:
    bomb = gzip.compress(encode(np.zeros((1000, 4000), np.int16)))
    assert len(bomb) < 50_000
    assert "unpacks to more than" in refuse(bomb, pixels=100)


def test_without_the_package_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encode(SLICE)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    assert "for which the package nibabel is missing: pip install nibabel" in refuse(content)


def test_overlays_and_burnt_in_marks_of_dicom_are_noted(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    plain = encode_dicom(pixels)
    header = pydicom.dcmread(io.BytesIO(encode_dicom(pixels + 1, BurnedInAnnotation="YES")))
    header.add_new((0x6000, 0x3000), "OW", b"\0" * 8)
    stream = io.BytesIO()
    header.save_as(stream)
    marked = stream.getvalue()
    assert read_picture(plain, "a.dcm").notes == []
    assert read_picture(marked, "a.dcm").notes == [OVERLAY, BURNT_IN]
    for label, content in (("ill", marked), ("well", plain)):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.dcm").write_bytes(content)
    params = ImagesParams(source=str(tmp_path), label_from="folder", patient_from="folder")
    assert open_own_images("films", params, tmp_path).limits == (
        f"Of 1 of 2 DICOM files: {OVERLAY}.",
        f"Of 1 of 2 DICOM files: {BURNT_IN}.",
    )

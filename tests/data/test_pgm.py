from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscan.data.pgm import read_pgm
from mammoscan.errors import MammoscanError

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


@pytest.mark.parametrize(
    "header",
    [
        b"P5\n8 8\n255\n",
        b"P5 8 8 255 ",
        b"P5\n# made by\n# someone\n8\t8\n# grey\n255\n",
        b"P5\r\n8 8\r\n255\n",
    ],
)
def test_binary_files_are_mapped_and_equal_what_pillow_reads(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "x.pgm"
    path.write_bytes(header + PIXELS.tobytes())
    scan = read_pgm(path)
    assert not scan.flags.writeable
    np.testing.assert_array_equal(scan, PIXELS)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), PIXELS)


def test_what_follows_the_pixels_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.pgm"
    path.write_bytes(b"P5\n8 8\n255\n" + PIXELS.tobytes() + b"trailing")
    np.testing.assert_array_equal(read_pgm(path), PIXELS)


def test_other_grey_images_are_read_by_pillow(tmp_path: Path) -> None:
    path = tmp_path / "x.pgm"
    path.write_text("P2\n8 8\n255\n" + " ".join(map(str, PIXELS.ravel())))
    np.testing.assert_array_equal(read_pgm(path), PIXELS)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"P5\n8 8\n255\n" + bytes(63), "cut short: 74 bytes, expected 75"),
        (b"P5\n8 8\n65535\n" + bytes(128), "grey values up to 65535, expected 8 bits"),
        (b"P5\n8 9\n255\n" + bytes(72), "8 x 9 pixels, expected a square"),
        (b"P5\n0 0\n255\n", "0 x 0 pixels"),
        (b"P2\n2 1\n255\n1 2", "2 x 1 pixels, expected a square"),
        (b"P2\n2 2\n65535\n1 2 3 4", "mode I.*, expected 8-bit grey"),
        (b"P2\n2 2\n255\n1 2 3", "cannot be read"),
        (b"", "cannot be read"),
        (b"not an image", "cannot be read"),
    ],
)
def test_anything_else_is_refused_by_name_in_one_line(tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "mdb007.pgm"
    path.write_bytes(data)
    with pytest.raises(MammoscanError, match=match) as caught:
        read_pgm(path)
    assert "mdb007.pgm" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MammoscanError, match=r"mdb009\.pgm cannot be read"):
        read_pgm(tmp_path / "mdb009.pgm")

"""Whatever an image file costs to decode, it costs no more than its process may take."""

from __future__ import annotations

import io
import os
import signal
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits
from mammoscan.params import ScanGridParams
from mammoscan.records.card import ImageInput, ModelInput, WindowInput
from mammoscan.serving.decode_pool import MEMORY, DecodePool
from mammoscan.serving.prepare_input import prepare_image
from pictures import encode_dicom

WINDOWS = ModelInput(input=WindowInput(kind="window", size=48, grid=ScanGridParams()), shape=(48, 48, 1))
IMAGES = ModelInput(input=ImageInput(kind="image", size=(48, 48), channels=3), shape=(48, 48, 3))
NOISE = np.random.default_rng(0)


def encode(array: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(array).save(content, kind, **options)
    return content.getvalue()


def draw(*shape: int) -> np.ndarray:
    return NOISE.integers(0, 256, shape).astype(np.uint8)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecodePool]:
    with DecodePool(WINDOWS, workers=1) as pool:
        yield pool


def peak_of(pool: DecodePool) -> int:
    """The most memory that the pool's worker ever held, in bytes."""
    worker = pool._idle.queue[0]
    status = Path(f"/proc/{worker._process.pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def refuse(pool: DecodePool, content: bytes, name: str = "x.png") -> str:
    with pytest.raises(MammoscanError) as caught:
        pool.prepare(content, name)
    assert "\n" not in caught.value.message
    assert name in caught.value.message
    return caught.value.message


class TestAnswers:
    def test_a_worker_gives_what_this_process_would(self, pool: DecodePool) -> None:
        for shape in [(48, 48), (300, 200), (64, 64, 3)]:
            content = encode(draw(*shape))
            found, expected = pool.prepare(content, "x.png"), prepare_image(content, "x.png", WINDOWS)
            np.testing.assert_array_equal(found.pixels, expected.pixels)
            assert (found.notes, found.warnings) == (expected.notes, expected.warnings)

    def test_a_whole_scan_comes_on_its_grid_with_a_small_picture(self, pool: DecodePool) -> None:
        scan = np.zeros((1024, 700), np.uint8)
        scan[200:800, :400] = draw(600, 400) // 2 + 100
        found = pool.prepare(encode(scan), "x.png", preview=128)
        expected = prepare_image(encode(scan), "x.png", WINDOWS, preview=128)
        assert found.pixels is None
        assert found.scan is not None
        assert expected.scan is not None
        for name in ("grid", "mask", "preview"):
            np.testing.assert_array_equal(getattr(found.scan, name), getattr(expected.scan, name))
        assert (found.scan.height, found.scan.width) == (1024, 700)
        assert found.scan.preview is not None
        assert found.scan.preview.shape == (128, 87)

    def test_errors_come_back_as_one_line(self, pool: DecodePool) -> None:
        assert refuse(pool, b"nothing").startswith("x.png is no image that can be read here")
        assert refuse(pool, b"nothing", "evil\x1b[2J.png".replace("\x1b", "\\x1b")).startswith("evil")

    def test_the_original_pixels_keep_their_sixteen_bits(self, pool: DecodePool) -> None:
        stored = draw(30, 40).astype(np.uint16) * 16
        view, png = pool.view(encode_dicom(stored, WindowCenter=9, WindowWidth=3), "x.dcm")
        assert (view["width"], view["height"], view["depth"]) == (40, 30, 16)
        channels = np.asarray(Image.open(io.BytesIO(png))).astype(np.uint16)
        values = channels[..., 0] * 256 + channels[..., 1]
        assert (values.min(), values.max()) == (view["lowest"], view["highest"]) == (0, 65535)
        assert len(np.unique(values)) == len(np.unique(stored))

    def test_a_thumbnail_is_small(self, pool: DecodePool) -> None:
        assert Image.open(io.BytesIO(pool.shrink(encode(draw(500, 300)), "x.png"))).size == (115, 192)


class TestLimits:
    @pytest.mark.parametrize("kind", ["deflated DICOM", "strip", "bomb"])
    def test_no_small_file_costs_a_gigabyte_or_ten_seconds(self, kind: str, pool: DecodePool) -> None:
        if kind == "deflated DICOM":
            content, name = deflate_dicom(1_000_000_000), "x.dcm"
            assert len(content) < 1_100_000
        elif kind == "strip":
            content, name = encode(np.zeros((97_656, 512), np.uint8)), "x.png"
            assert len(content) < 80_000
        else:
            content, name = encode(np.zeros((7_000, 7_100), np.uint8)), "x.png"
        began = time.monotonic()
        message = refuse(pool, content, name)
        assert time.monotonic() - began < 10
        if kind == "deflated DICOM":
            assert "unpacks to more than" in message
        assert peak_of(pool) < 1e9

    @pytest.mark.parametrize(
        ("shape", "kind"), [((7_000, 7_000, 3), "PNG"), ((7_000, 7_000, 3), "JPEG"), ((7_000, 7_000), "TIFF")]
    )
    def test_the_largest_images_allowed_are_decoded(self, shape: tuple[int, ...], kind: str) -> None:
        content = encode(np.tile(draw(70, 70, *shape[2:]), (100, 100, *[1] * len(shape[2:]))), kind)
        with DecodePool(IMAGES, Limits(bytes=200_000_000), workers=1, seconds=60) as pool:
            image = pool.prepare(content, "x")
            assert image.pixels is not None
            assert peak_of(pool) < 1e9 + 2 * len(content)

    def test_the_largest_dicom_allowed_is_decoded(self) -> None:
        content = encode_dicom(
            np.tile(draw(70, 70).astype(np.uint16) * 16, (80, 80)), WindowCenter=2000, WindowWidth=4000
        )
        assert len(content) < 64_000_000
        with DecodePool(IMAGES, workers=1, seconds=60) as pool:
            assert pool.prepare(content, "x.dcm").pixels is not None
            assert peak_of(pool) < 1e9

    def test_what_takes_too_much_memory_is_one_line_and_the_next_file_is_decoded(self) -> None:
        with DecodePool(IMAGES, workers=1, memory=40_000_000) as pool:
            content = encode(np.tile(draw(50, 50, 3), (80, 80, 1)))
            assert "takes more than the 40 MB that decoding may use" in refuse(pool, content)
            assert pool.prepare(encode(draw(60, 60, 3)), "good.png").pixels is not None

    def test_what_takes_too_long_is_ended_and_the_next_file_is_decoded(self) -> None:
        with DecodePool(IMAGES, workers=1, seconds=0.4) as pool:
            pool.prepare(encode(draw(60, 60, 3)), "first.png")
            slow = b"P2\n1700 1700\n255\n" + b"7 8 " * 1_445_000
            assert "takes longer than the 0.4 s" in refuse(pool, slow)
            assert pool.prepare(encode(draw(60, 60, 3)), "good.png").pixels is not None

    def test_a_decoder_that_crashes_is_one_line_and_is_replaced(self) -> None:
        with DecodePool(IMAGES, workers=1) as pool:
            pool.prepare(encode(draw(60, 60, 3)), "first.png")
            process = pool._idle.queue[0]._process
            os.kill(process.pid, signal.SIGSEGV)
            assert "makes its decoder crash" in refuse(pool, encode(draw(60, 60, 3)))
            assert pool.prepare(encode(draw(60, 60, 3)), "good.png").pixels is not None

    def test_a_worker_ends_with_its_pool(self) -> None:
        pool = DecodePool(IMAGES, workers=2)
        processes = [worker._process for worker in pool._idle.queue]
        pool.close()
        assert [process.poll() is not None for process in processes] == [True, True]

    def test_the_memory_is_limited_from_the_start(self) -> None:
        assert MEMORY <= 1e9


def deflate_dicom(size: int) -> bytes:
    """A deflated DICOM file whose data set ends in so many zeros."""
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    stream = io.BytesIO(encode_dicom(draw(8, 8), DeflatedExplicitVRLittleEndian))
    read_preamble(stream, force=False)
    _read_file_meta_info(stream)
    start = stream.tell()
    plain = zlib.decompress(stream.read(), -zlib.MAX_WBITS)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [stream.getvalue()[:start], deflater.compress(plain)]
    # A private element behind the pixels.
    parts.append(deflater.compress(b"\xe1\x7f\x10\x10OB\0\0" + size.to_bytes(4, "little")))
    parts += [deflater.compress(bytes(10_000_000)) for _ in range(size // 10_000_000)]
    return b"".join([*parts, deflater.flush()])

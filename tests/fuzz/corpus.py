"""Valid files and requests of every kind, and what random damage makes of them.

``python tests/fuzz/corpus.py --cases 10000`` tries so many; the suite tries 500.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mammoscan.errors import MammoscanError
from mammoscan.params import ScanGridParams
from mammoscan.records.card import ModelInput, WindowInput
from mammoscan.serving.decode_pool import DecodePool
from pictures import encode_dicom

TAKES = ModelInput(input=WindowInput(kind="window", size=48, grid=ScanGridParams()), shape=(48, 48, 1))
MAX_SECONDS, MAX_MEMORY = 2.0, 500_000_000
# Numbers at which sizes, lengths and counts overflow.
ODD_BYTES = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xff\xff",
)


def make_seeds() -> dict[str, list[bytes]]:
    """Valid image files by kind."""
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (64, 48)).astype(np.uint8)
    colour = random.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    deep = grey.astype(np.uint16) * 256

    def encode(array: np.ndarray, kind: str, **options: object) -> bytes:
        content = io.BytesIO()
        Image.fromarray(array).save(content, kind, **options)
        return content.getvalue()

    palette = io.BytesIO()
    Image.fromarray(colour).convert("P").save(palette, "PNG")
    return {
        "png": [encode(grey, "PNG"), encode(colour, "PNG"), encode(deep, "PNG"), palette.getvalue()],
        "jpeg": [
            encode(grey, "JPEG"),
            encode(colour, "JPEG", progressive=True),
            encode(colour, "JPEG", quality=9),
        ],
        "tiff": [
            encode(grey, "TIFF"),
            encode(deep, "TIFF"),
            encode(colour, "TIFF", compression="tiff_lzw"),
            encode(grey, "TIFF", compression="tiff_adobe_deflate"),
        ],
        "pgm": [
            encode(grey, "PPM"),
            encode(deep, "PPM"),
            b"P2\n# text\n4 20\n255\n" + b"7 200 " * 40,
            encode(colour, "PPM"),
        ],
        "dicom": [
            encode_dicom(grey, WindowCenter=[100, 50], WindowWidth=[200, 20]),
            encode_dicom(deep, RescaleSlope=2, RescaleIntercept=-5, PhotometricInterpretation="MONOCHROME1"),
            encode_dicom(colour),
            encode_dicom(grey, "1.2.840.10008.1.2.1.99"),
        ],
    }


def mutate(content: bytes, random: np.random.Generator) -> bytes:
    """Damage a file in one to four places."""
    damaged = bytearray(content)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(0, max(1, len(damaged))))
        # Headers are where the numbers stand.
        if random.random() < 0.5:
            at %= 200
        length = int(random.integers(1, 30))
        match random.integers(0, 7):
            case 0:
                damaged[at : at + 1] = bytes([int(random.integers(0, 256))])
            case 1:
                odd = ODD_BYTES[random.integers(0, len(ODD_BYTES))]
                damaged[at : at + len(odd)] = odd
            case 2:
                del damaged[at : at + length]
            case 3:
                damaged[at:at] = damaged[at : at + length]
            case 4:
                damaged = damaged[: max(1, at)]
            case 5:
                damaged[at:at] = bytes(random.integers(0, 256, length).astype(np.uint8))
            case _:
                if at < len(damaged):
                    damaged[at] ^= 1 << int(random.integers(0, 8))
    return bytes(damaged)


def damage_files(cases: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged image files, as many of each kind."""
    random = np.random.default_rng(seed)
    seeds = make_seeds()
    kinds = list(seeds)
    for case in range(cases):
        kind = kinds[case % len(kinds)]
        yield kind, mutate(seeds[kind][random.integers(0, len(seeds[kind]))], random)


def check_message(message: str, content: bytes) -> None:
    """One line that is no exception's name, and neither a crash nor the time limit."""
    assert "\n" not in message, message
    assert "crash" not in message, content
    assert "takes longer" not in message, content
    assert "Error" not in message.partition(": ")[0], message


def try_files(cases: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Counter[str]:
    """Decode damaged files; the outcome of each is an image or one line, within the limits.

    Returns:
        How many of each kind were read and refused.
    """
    found: Counter[str] = Counter()
    started = time.monotonic()
    slowest = 0.0
    with DecodePool(TAKES, workers=1, memory=MAX_MEMORY, seconds=MAX_SECONDS * 5) as pool:
        pool.prepare(make_seeds()["png"][0], "warm-up.png")
        for case, (kind, content) in enumerate(damage_files(cases, seed)):
            before = time.monotonic()
            try:
                image = pool.prepare(content, f"x.{'dcm' if kind == 'dicom' else kind}")
                assert (image.pixels is None) != (image.scan is None)
                found[f"{kind} read"] += 1
            except MammoscanError as error:
                check_message(error.message, content)
                found[f"{kind} refused"] += 1
            slowest = max(slowest, time.monotonic() - before)
            if (case + 1) % 1000 == 0:
                say(
                    f"{case + 1} cases, {time.monotonic() - started:.0f} s, slowest {slowest:.2f} s: {dict(found)}"
                )
    found["slowest in ms"] = round(1000 * slowest)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for name, number in sorted(try_files(asked.cases, asked.seed, print).items()):
        print(f"{name}: {number}")

"""How many planted copies the leak audit catches: every row of the table is one way to alter an image.

    python benchmarks/planted_leaks.py data/05_model_input/mias_normal …
    python benchmarks/planted_leaks.py --cost 10000

Each folder holds ``pixels.npy`` and ``samples.parquet`` of a study, which a run writes. Copies of some images are
planted under other patients' names, all of one kind at a time, and searched for among the images. False alarms are
measured on the images as they are, in five folds of patients. ``--cost`` times the whole audit of so many drawn images.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate, shift

from mammoscan.evaluation import near_copies
from mammoscan.evaluation.leak_audit import audit_leaks
from mammoscan.imaging.views import make_view

Alteration = Callable[[np.ndarray, np.random.Generator], np.ndarray]
RESIZE = Image.Resampling.BILINEAR


def to_picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def to_array(picture: Image.Image) -> np.ndarray:
    values = np.asarray(picture)
    return values[..., None] if values.ndim == 2 else values


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def turn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if image.shape[0] == image.shape[1]:
        return np.ascontiguousarray(make_view(image, int(rng.integers(1, 8))))
    return image[:, ::-1] if rng.integers(2) else image[::-1, ::-1]


def compress(quality: int) -> Alteration:
    def alter(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        stream = io.BytesIO()
        to_picture(image).save(stream, "JPEG", quality=quality)
        return to_array(Image.open(stream))

    return alter


def halve(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    picture = to_picture(image)
    small = picture.resize((picture.width // 2, picture.height // 2), RESIZE)
    return to_array(small.resize(picture.size, RESIZE))


def crop(share: float) -> Alteration:
    """Cut this share of the area away, at a random place, and enlarge the rest to the size of the whole."""

    def alter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        height, width = (round(side * (1 - share) ** 0.5) for side in image.shape[:2])
        top, left = (
            rng.integers(0, whole - part + 1)
            for whole, part in zip(image.shape[:2], (height, width), strict=True)
        )
        picture = to_picture(image[top : top + height, left : left + width])
        return to_array(picture.resize(image.shape[1::-1], RESIZE))

    return alter


def add_noise(spread: float) -> Alteration:
    return lambda image, rng: to_bytes(image + rng.normal(0, spread, image.shape))


ALTERATIONS: dict[str, Alteration] = {
    "exact": lambda image, _: image,
    "turned or mirrored": turn,
    "brighter by 20 grey levels": lambda image, _: to_bytes(image + 20.0),
    "gamma 0.8": lambda image, _: to_bytes(255 * (image / 255) ** 0.8),
    "JPEG, quality 95": compress(95),
    "JPEG, quality 75": compress(75),
    "halved and enlarged": halve,
    "mirrored, and 1 grey level brighter": lambda image, _: to_bytes(image[:, ::-1] + 1.0),
    "noise of 3 grey levels": add_noise(3),
    "noise of 5 grey levels": add_noise(5),
    "shifted by 1 pixel": lambda image, _: shift(image, (1, 1, 0), order=0, mode="nearest"),
    "turned by 5 degrees": lambda image, _: to_bytes(
        rotate(image.astype(float), 5, axes=(1, 0), reshape=False, order=1, mode="nearest")
    ),
    "10 % of the area cropped": crop(0.1),
    "20 % of the area cropped": crop(0.2),
    "40 % of the area cropped": crop(0.4),
    "turned, 10 grey levels brighter, JPEG 75": lambda image, rng: compress(75)(
        to_bytes(turn(image, rng) + 10.0), rng
    ),
}


def read_study(folder: Path, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels and patients of a study, at most so many images of it."""
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    patients = pd.read_parquet(folder / "samples.parquet")["patient_id"].astype(str).to_numpy(dtype=object)
    chosen = np.arange(len(pixels))
    if len(pixels) > most:
        chosen = np.sort(np.random.default_rng(1).choice(len(pixels), most, replace=False))
    return np.asarray(pixels[chosen]), patients[chosen]


def measure_study(pixels: np.ndarray, patients: np.ndarray, planted: int) -> dict[str, str]:
    """Return the share caught of each kind of copy, the false alarms, and the seconds."""
    count, rng = len(pixels), np.random.default_rng(0)
    started = time.perf_counter()
    thumbnails = near_copies.make_thumbnails(pixels)
    everything = np.arange(count)
    clean = near_copies.measure_limits(thumbnails, everything, patients, count)
    folds = pd.factorize(patients)[0] % 5
    scores = np.full(count, -1.0)
    for fold in range(5):
        mine, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(mine) and len(others):
            scores[mine] = near_copies.find_near_copies(thumbnails, mine, others)[0]
    seconds = time.perf_counter() - started
    table = {
        "images": f"{count:,}",
        "patients": f"{len(set(patients)):,}",
        "limit": f"{clean.near:.3f}",
        "false alarms": f"{(scores > clean.near).mean():.1%}",
        "false alarms, certain": f"{(scores > clean.certain).sum()}",
        "seconds of the search": f"{seconds:.1f}",
    }
    # The limit bears copies of less than half of all images.
    originals = np.sort(rng.choice(count, min(planted, count // 4), replace=False))
    table["copies of each kind"] = f"{len(originals)}"
    names = np.array([f"planted {row}" for row in originals], dtype=object)
    for name, alter in ALTERATIONS.items():
        copies = np.stack([alter(pixels[row], rng) for row in originals])
        both = np.concatenate([thumbnails, near_copies.make_thumbnails(copies)])
        rows = np.arange(len(both))
        # The planted copies are among the images that set the limit.
        limits = near_copies.measure_limits(both, rows, np.concatenate([patients, names]), len(originals))
        found, _ = near_copies.find_near_copies(both, rows[count:], everything)
        table[name] = f"{(found > limits.near).mean():.0%}"
    return table


def measure_cost(count: int, side: int = 48) -> str:
    """Time the leak audit of so many drawn images, two per patient, in five folds."""
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(count, side, side)).astype(np.float32), (0, 3, 3))
    pixels = to_bytes(128 + 40 * texture / texture.std())[..., None]
    names = np.arange(count).astype(str)
    patients = np.arange(count) // 2
    samples = pd.DataFrame(
        {"sample_id": names, "patient_id": patients, "source": names, "region_id": names, "label": "x"}
    )
    roles = {f"fold_{fold}": np.where(patients % 5 == fold, "test", "train") for fold in range(5)}
    started, busy = time.perf_counter(), time.process_time()
    found = audit_leaks(samples, pixels, pd.DataFrame({"sample_id": names, "row": range(count), **roles}))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    return (
        f"{count:,} images of {side} x {side}: {seconds:.0f} s, {busy:.0f} s of them computing; "
        f"{found['near']['tested']:,} compared, {found['near']['count']} beyond the limit"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--cost", type=int, default=0, help="time the audit of so many drawn images")
    parser.add_argument(
        "--planted", type=int, default=100, help="copies of each kind; at most of a quarter of the images"
    )
    parser.add_argument("--most", type=int, default=1000, help="images of a study, at most")
    asked = parser.parse_args()
    if asked.cost:
        print(measure_cost(asked.cost))
    if not asked.folders:
        return
    tables = {
        folder.name: measure_study(*read_study(folder, asked.most), asked.planted) for folder in asked.folders
    }
    print("| | " + " | ".join(tables) + " |")
    print("|---|" + "---|" * len(tables))
    for row in next(iter(tables.values())):
        print(f"| {row} | " + " | ".join(table[row] for table in tables.values()) + " |")


if __name__ == "__main__":
    main()

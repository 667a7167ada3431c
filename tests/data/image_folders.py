"""Small folders of images for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mammoscan.data.image_dataset import ImageSet
from mammoscan.data.image_folder import index_folders


def write_image(path: Path, seed: int, side: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(values).save(path)


def write_tiny_set(folder: Path, patients: int = 6) -> None:
    """Two labels, each patient with one label and two images."""
    for patient in range(patients):
        for number in range(2):
            name = f"p{patient}_{number}.png"
            write_image(folder / ("cat" if patient % 2 else "dog") / name, 10 * patient + number)


def index_tiny(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return index_folders(folder, r"(p\d+)_")


TINY = ImageSet(
    name="tiny",
    title="Tiny",
    index=index_tiny,
    address="https://example.org/tiny",
    citation="Nobody (2026)",
    licence="MIT",
    limits=("Noise only.",),
    write_phantom=lambda folder, params, progress: write_tiny_set(folder, params.patients),
)

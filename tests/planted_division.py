"""A division of images into sides with known leaks between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 96
# What is planted in the test side, by its name there.
PLANTED = {"copy": "exact", "turned": "turned", "brighter": "near", "relative": "patient"}


def draw_image(seed: int) -> np.ndarray:
    # In one of twenty sets of images two are near copies by chance, as the audit says; in these none are.
    rng = np.random.default_rng(5000 + seed)
    field = sum(gaussian_filter(rng.normal(size=(SIDE, SIDE)), width) * width for width in (2, 5, 11))
    return np.clip(110 + 60 * field / field.std(), 0, 255).astype(np.uint8)


def write_division(folder: Path, planted: bool = True, images: int = 60) -> Path:
    """Write images of as many patients and the table that divides them; return the table."""
    (folder / "films").mkdir(parents=True)
    rows = []
    for number in range(images):
        side = "test" if number % 4 == 0 else "val" if number % 4 == 1 else "train"
        rows.append({"path": f"films/film{number:03d}.png", "side": side, "patient_id": f"p{number}"})
        Image.fromarray(draw_image(number)).save(folder / rows[-1]["path"])
    if planted:
        first = [draw_image(number) for number in (2, 3, 6)]
        made = {
            "copy": first[0],
            "turned": np.rot90(first[1]).copy(),
            "brighter": np.clip(first[2].astype(float) * 1.15 + 12, 0, 255).astype(np.uint8),
            "relative": draw_image(1000),
        }
        for name, image in made.items():
            Image.fromarray(image).save(folder / "films" / f"{name}.png")
            patient = "p7" if name == "relative" else f"new {name}"
            rows.append({"path": f"films/{name}.png", "side": "test", "patient_id": patient})
    table = pd.DataFrame(rows)
    table["label"] = np.where(np.arange(len(table)) % 3, "well", "ill")
    table.to_csv(folder / "split.csv", index=False)
    return folder / "split.csv"

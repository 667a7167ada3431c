"""What a made-up chest film looks like: body, lungs, ribs, heart, and opacities in the lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

RIBS = 8


@dataclass(frozen=True)
class ChestLook:
    """How one film is drawn.

    Attributes:
        height: Of the film in pixels.
        width: Of the film in pixels.
        strength: Brightness of the opacities, 0 for none and 1 for white lungs.
        patches: How many opacities.
        exposure: How much brighter the whole film is.
        noise: Deviation of its grain, of a range of 1.
    """

    height: int
    width: int
    strength: float
    patches: int
    exposure: float
    noise: float


def draw_chest(look: ChestLook, seed: list[int]) -> np.ndarray:
    """Draw a film.

    Args:
        look: What is to be seen.
        seed: Decides shapes and grain; the first two numbers (phantom and patient) the build of the body.

    Returns:
        uint8 ``[height, width]``.
    """
    build, rng = np.random.default_rng([*seed[:2], 1]), np.random.default_rng([*seed, 2])
    height, width = look.height, look.width
    y, x = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32),
        np.linspace(-1, 1, width, dtype=np.float32),
        indexing="ij",
    )
    x, y = x + np.float32(rng.normal(0, 0.03)), y + np.float32(rng.normal(0, 0.04))
    tall, wide = build.uniform(0.62, 0.8), build.uniform(0.3, 0.38)
    apart = build.uniform(0.4, 0.48)
    body = _soften(1.15 - np.hypot(x / 0.95, (y - 0.25) / 1.5), 0.12)
    lungs = np.maximum(
        _soften(1 - np.hypot((x + apart - 0.06 * y) / wide, y / tall), 0.18),
        _soften(1 - np.hypot((x - apart + 0.06 * y) / (0.9 * wide), y / tall), 0.18),
    )
    heart = _soften(1 - np.hypot((x - 0.14) / 0.34, (y - 0.42) / 0.4), 0.25)
    spine = np.exp(-((x / 0.09) ** 2))
    ribs = _draw_ribs(x, y, build)
    film = 0.08 + body * (0.5 + 0.14 * spine + 0.1 * ribs) - lungs * (0.36 - 0.02 * ribs) * (1 - 0.75 * heart)
    film += 0.05 * _draw_cloud(rng, 7, height, width) * body
    film += lungs * look.strength * _draw_opacities(rng, look.patches, apart, x, y)
    film += look.exposure + look.noise * _draw_cloud(rng, 90, height, width)
    return np.clip(np.rint(255 * film), 0, 255).astype(np.uint8)


def _draw_opacities(
    rng: np.random.Generator, patches: int, apart: float, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Cloudy patches of 0 to about 0.7, each in one of the lungs."""
    cloud = 0.75 + 0.25 * _draw_cloud(rng, 14, *x.shape)
    total = np.zeros_like(x)
    for _ in range(patches):
        side = apart * rng.choice([-1, 1]) + rng.normal(0, 0.08)
        place, size = rng.uniform(-0.35, 0.5), rng.uniform(0.14, 0.3)
        total = np.maximum(total, np.exp(-(((x - side) / size) ** 2) - ((y - place) / (1.2 * size)) ** 2))
    return 0.6 * total * cloud


def _draw_ribs(x: np.ndarray, y: np.ndarray, build: np.random.Generator) -> np.ndarray:
    bend, phase = build.uniform(0.5, 0.9), build.uniform(0, 2 * np.pi)
    return 0.5 + 0.5 * np.sin(RIBS * np.pi * (y + bend * (np.abs(x) - 0.45) ** 2) + phase)


def _draw_cloud(rng: np.random.Generator, cells: int, height: int, width: int) -> np.ndarray:
    small = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def _soften(distance: np.ndarray, softness: float) -> np.ndarray:
    return np.clip(distance / softness, 0, 1)

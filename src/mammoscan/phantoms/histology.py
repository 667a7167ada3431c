"""Stained tissue in colour: pink stroma, glands with a lumen and purple nuclei, shared by two phantoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

# Optical density that haematoxylin and eosin give red, green and blue, after Ruifrok and Johnston.
HAEMATOXYLIN, EOSIN = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])
CORNERS = 11
# One turn, which a nucleus' outline follows.
TURN = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
# Nuclei of 1000 pixels at most, and glands: more would only cost time.
MOST_NUCLEI, MOST_GLANDS = 18.5, 0.75


@dataclass(frozen=True)
class Stain:
    """One laboratory's stain: colours and strengths of the two dyes, and the lamp."""

    haematoxylin: np.ndarray
    eosin: np.ndarray
    light: np.ndarray


@dataclass(frozen=True)
class Look:
    """Appearance of tissue; each attribute differs between benign and malignant, and overlaps.

    Attributes:
        density: Nuclei in the area of a square of eight radii.
        radius: Mean radius of a nucleus in pixels.
        variety: How unlike each other the nuclei are, in shape, size and darkness: 0 to 1.
        order: Share of the nuclei that line a gland: 0 to 1.
        lumen: Share of a gland's radius that is empty.
    """

    density: float
    radius: float
    variety: float
    order: float
    lumen: float


def draw_stain(rng: np.random.Generator) -> Stain:
    """Draw a patient's stain; no two are alike, so that a network can recognise the patient by it."""
    haematoxylin = HAEMATOXYLIN * rng.uniform(0.85, 1.15, 3)
    eosin = EOSIN * rng.uniform(0.85, 1.15, 3) + rng.uniform(0, 0.12, 3)
    return Stain(
        haematoxylin * rng.uniform(0.8, 1.3), eosin * rng.uniform(0.45, 1.15), rng.uniform(226, 250, 3)
    )


def paint_tissue(
    rng: np.random.Generator,
    shape: tuple[int, int],
    look: Look,
    within: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Paint tissue.

    Args:
        rng: What draws it.
        shape: Height and width in pixels.
        look: What the tissue is like.
        within: Bool ``[H, W]`` where nuclei and glands may lie; None means everywhere.

    Returns:
        Two float32 fields ``[H, W]``: how much haematoxylin and how much eosin lies where, 0 to about 1.5.
    """
    eosin = _draw_stroma(rng, shape, look)
    lumens, rings = _draw_glands(rng, shape, look, within)
    nuclei = Image.new("L", shape[::-1])
    pen = ImageDraw.Draw(nuclei)
    loose = _scatter_nuclei(rng, shape, look, 1 - look.order, within)
    places = np.concatenate([loose, rings])[: _count_at_most(shape, MOST_NUCLEI)]
    count = len(places)
    size = look.radius * np.exp(rng.normal(0, 0.12 + 0.4 * look.variety, count))
    stretch = np.exp(rng.normal(0.12, 0.08 + 0.18 * look.variety, count))
    tilt = rng.uniform(0, np.pi, count)[:, None]
    dark = np.clip(rng.normal(150, 12 + 38 * look.variety, count), 60, 255).astype(int)
    bumps = 1 + rng.normal(0, 0.03 + 0.06 * look.variety, (count, CORNERS))
    along = (size * stretch)[:, None] * np.cos(TURN) * bumps
    across = (size / stretch)[:, None] * np.sin(TURN) * bumps
    xs = places[:, 1:] + along * np.cos(tilt) - across * np.sin(tilt)
    ys = places[:, :1] + along * np.sin(tilt) + across * np.cos(tilt)
    outlines = np.stack([xs, ys], axis=-1).reshape(count, 2 * CORNERS).tolist()
    for outline, shade in zip(outlines, dark.tolist(), strict=True):
        pen.polygon(outline, fill=shade)
    haematoxylin = np.asarray(nuclei, dtype=np.float32) / 160
    # Cells lie in a faint blue haze of their own cytoplasm.
    haze = np.asarray(nuclei.reduce(4).resize(nuclei.size, Image.Resampling.BILINEAR), dtype=np.float32) / 160
    return np.where(lumens, 0, haematoxylin + 0.15 * haze), np.where(lumens, 0.03, eosin)


def develop_slide(
    rng: np.random.Generator, haematoxylin: np.ndarray, eosin: np.ndarray, stain: Stain
) -> np.ndarray:
    """Return the colours of a stained slide, uint8 ``[H, W, 3]``, by the law of Beer and Lambert."""
    density = haematoxylin[..., None] * stain.haematoxylin.astype(np.float32)
    density += eosin[..., None] * stain.eosin.astype(np.float32)
    picture = stain.light.astype(np.float32) * np.exp(-density)
    picture += rng.standard_normal(haematoxylin.shape, dtype=np.float32)[..., None] * 2
    return np.clip(picture, 0, 255).astype(np.uint8)


def draw_smooth(rng: np.random.Generator, shape: tuple[int, int], knots: tuple[int, int]) -> np.ndarray:
    """Return smooth noise of mean 0 and deviation about 1, with so many knots down and across."""
    small = Image.fromarray(rng.standard_normal(knots, dtype=np.float32))
    return np.asarray(small.resize(shape[::-1], Image.Resampling.BICUBIC)) * np.float32(1.25)


def _draw_stroma(rng: np.random.Generator, shape: tuple[int, int], look: Look) -> np.ndarray:
    """Draw fibres: waves across a direction that a smooth field bends, torn open here and there."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    bend = draw_smooth(rng, shape, (5, 6)) * look.radius * 6
    phase = (rows * np.cos(angle) + columns * np.sin(angle) + bend) / (2.2 * look.radius)
    fibres = 0.5 + 0.5 * np.sin(phase) * np.clip(0.6 + 0.4 * draw_smooth(rng, shape, (9, 12)), 0, 1)
    patchy = 0.42 + 0.12 * draw_smooth(rng, shape, (6, 8))
    torn = draw_smooth(rng, shape, (10, 14)) > 2.1
    return np.where(torn, 0.05, np.clip(patchy + 0.22 * fibres, 0.05, 1.2)).astype(np.float32)


def _draw_glands(
    rng: np.random.Generator, shape: tuple[int, int], look: Look, within: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the glands are empty, and the nuclei that line them as ``[n, (row, column)]``."""
    room = look.radius * rng.uniform(7, 10)
    count = int(look.order * look.density * shape[0] * shape[1] / (room * room * 9) * 1.6) + 1
    centres = rng.uniform((0, 0), shape, (min(count, _count_at_most(shape, MOST_GLANDS)), 2))
    centres = _keep_within(centres, within)
    lumens = Image.new("1", shape[::-1])
    pen = ImageDraw.Draw(lumens)
    rings = [np.empty((0, 2))]
    for row, column in centres.tolist():
        radius = room * rng.uniform(0.6, 1.3)
        squeeze = rng.uniform(0.7, 1)
        hole, flat = radius * look.lumen, radius * look.lumen * squeeze
        pen.ellipse((column - hole, row - flat, column + hole, row + flat), fill=1)
        lined = max(5, int(2 * np.pi * radius / (2.6 * look.radius)))
        turns = np.linspace(0, 2 * np.pi, lined, endpoint=False) + rng.normal(
            0, 0.5 * look.variety / lined, lined
        )
        away = (radius + rng.normal(0, look.radius * (0.2 + 1.5 * look.variety), lined))[:, None]
        rings.append(
            np.array([[row, column]]) + away * np.stack([squeeze * np.sin(turns), np.cos(turns)], axis=1)
        )
    return np.asarray(lumens), np.concatenate(rings)


def _scatter_nuclei(
    rng: np.random.Generator, shape: tuple[int, int], look: Look, share: float, within: np.ndarray | None
) -> np.ndarray:
    """Scatter nuclei, more of them where a smooth field is high."""
    wanted = int(share * look.density * shape[0] * shape[1] / (8 * look.radius) ** 2)
    wanted = min(wanted, _count_at_most(shape, MOST_NUCLEI))
    places = rng.uniform((0, 0), shape, (2 * wanted, 2))
    crowd = draw_smooth(rng, shape, (7, 9))[places[:, 0].astype(int), places[:, 1].astype(int)]
    places = places[crowd + rng.normal(0, 0.8, len(places)) > 0][:wanted]
    return _keep_within(places, within)


def _count_at_most(shape: tuple[int, int], per_thousand: float) -> int:
    return int(per_thousand * shape[0] * shape[1] / 1000) + 1


def _keep_within(places: np.ndarray, within: np.ndarray | None) -> np.ndarray:
    if within is None or not len(places):
        return places
    return places[within[places[:, 0].astype(int), places[:, 1].astype(int)]]

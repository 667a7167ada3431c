"""Lesions: their radius, and the shape that reveals their severity, or does not.

One finding of a phantom: what its row of the notes says, and the shape that hides its severity.

Strokes around a centre, which either point at it or lie around it: the cue that all findings share.

Calcifications: a group of bright specks and casts.

Drawing the six kinds of finding.

All kinds carry the same cue, and carry it in shape alone. Around every finding lie strokes of the same number,
length, width and brightness: around a benign one most of them lie *around* the centre, as tissue that gives way;
around a malignant one most of them *point at* it, as tissue that is pulled in. The outline of a mass and the order
of a cluster's specks follow the same share. The strokes keep to about 120 pixels of the centre whatever the radius,
so that they lie within a window of 256 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from mammoscan.phantoms.breast import CELL
from mammoscan.phantoms.fields import Stroke, bend_curve, draw_field, paint_strokes


@dataclass
class Region:
    """One row of ``Info.txt``.

    Attributes:
        kind: Class of abnormality.
        severity: ``B`` or ``M``.
        state: ``placed``, ``unplaced`` (no coordinates in the notes) or ``spread`` (``*NOTE 3*``).
        row: Row of the centre, origin top-left.
        column: Column of the centre.
        radius: Radius that the notes state.
        pull: Share of the strokes around the centre that point at it; the rest lie around it.
        form: What the specks of a calcification are.
        bed: How much brighter the tissue is that a calcification lies in.
    """

    kind: str
    severity: str
    state: str = "placed"
    row: int = 0
    column: int = 0
    radius: int = 0
    pull: float = 0.5
    form: str = "points"
    bed: float = 0.0


@dataclass(frozen=True)
class Ring:
    """How strokes around a centre are drawn; lengths are in cells, pairs are bounds.

    Attributes:
        count: Number of strokes.
        place: Distance of a stroke's middle from the centre.
        length: Length of a stroke.
        brightness: Brightness of a stroke.
        wander: Deviation of the centre itself.
    """

    count: tuple[int, int]
    place: tuple[float, float]
    length: tuple[float, float]
    brightness: tuple[float, float]
    wander: float


def place_polar(angle: float, distance: float) -> np.ndarray:
    """Return (x, y) of a direction and a distance."""
    return distance * np.array([np.cos(angle), np.sin(angle)])


def draw_ring(ring: Ring, pull: float, centre: float, rng: np.random.Generator) -> list[Stroke]:
    """Draw strokes around a centre; nothing but their direction depends on ``pull``.

    Args:
        ring: Their number, place, length and brightness.
        pull: Share of them that point at the centre.
        centre: Both coordinates of the centre.
        rng: Where they come from.
    """
    count = int(rng.integers(*ring.count))
    inward = rng.permutation(count) < round(pull * count)
    # No lesion is exactly round or exactly centred.
    shift = centre + rng.normal(0.0, ring.wander, 2)
    axis = place_polar(rng.uniform(0.0, np.pi), 1.0)
    stretch = rng.uniform(0.0, 0.22)
    strokes = []
    for i, points_at in enumerate(inward):
        angle = 2.0 * np.pi * (i + rng.uniform(-0.3, 0.3)) / count
        distance, length = rng.uniform(*ring.place), rng.uniform(*ring.length)
        tilt = rng.normal(0.0, 0.22)
        if points_at:
            start, heading, bend = (
                place_polar(angle, distance - length / 2.0),
                angle + tilt,
                rng.normal(0.0, 0.15),
            )
        else:
            bend = length / distance
            start = place_polar(angle - bend / 2.0, distance)
            heading = angle - bend / 2.0 + np.pi / 2.0 + tilt
        points = bend_curve(start, heading, length, bend)
        points += stretch * (points @ axis)[:, None] * axis
        strokes.append((shift + points, rng.uniform(*ring.brightness)))
    return strokes


BRANCHES = 3
FORMS = ("points", "coarse", "rims", "rods", "powder")
"""What the specks of a group are: small round ones, popcorn, egg shells, rods or a fine powder."""
COUNT = {"points": (12, 20), "coarse": (5, 8), "rims": (5, 8), "rods": (12, 18), "powder": (90, 130)}
PEAK = {"points": 100.0, "coarse": 70.0, "rims": 85.0, "rods": 85.0, "powder": 55.0}


def draw_specks(region: Region, surround: list[Stroke], half: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a group within the radius, and more specks along the strokes around it.

    A pulled group branches and its casts run outwards; another is round, with casts along its rim. The form of its
    specks and the tissue it lies in know nothing of that: they make a group easy to know again.

    Args:
        region: The group's radius, pull, form and bed.
        surround: The strokes around it.
        half: Half the edge of the patch, in cells.
        rng: The region's own generator.

    Returns:
        Grey levels to add, a square of edge ``2 * half + 1``.
    """
    shape = (2 * half + 1, 2 * half + 1)
    spread = float(np.clip(region.radius, 5.0, 90.0)) / CELL
    peak = PEAK[region.form] * rng.uniform(0.85, 1.15)
    branches = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi / BRANCHES * np.arange(BRANCHES)
    centres = []
    for _ in range(int(rng.integers(*COUNT[region.form]))):
        branching = rng.random() < region.pull
        angle = rng.choice(branches) + rng.normal(0.0, 0.12) if branching else rng.uniform(0.0, 2.0 * np.pi)
        centres.append(half + place_polar(angle, spread * np.sqrt(rng.random())))
    strays = [
        points[k] + rng.normal(0.0, 0.8, 2)
        for points, _ in surround
        if rng.random() < 0.6
        for k in rng.permutation(len(points))[:2]
    ]
    casts = Ring(
        count=(8, 12),
        place=(0.5 * spread, 0.8 * spread),
        length=(0.4 * spread, 0.65 * spread),
        brightness=(0.35 * peak, 0.6 * peak),
        wander=0.0,
    )
    strokes = draw_ring(casts, region.pull, half, rng)
    width = max(1, round(0.12 * spread))
    return (
        _draw_form(region.form, centres, spread, peak, shape, rng)
        + _draw_points(strays, 0.8, peak, shape)
        + paint_strokes(shape, strokes, width, 0.25 * width + 0.2)
        + _draw_bed(region, half, rng)
    )


def _draw_form(
    form: str,
    centres: list[np.ndarray],
    spread: float,
    peak: float,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the specks of a group; their size follows the group's, as far as a cell can show it."""
    if form in ("points", "powder"):
        share = 0.045 if form == "points" else 0.022
        return _draw_points(centres, max(0.55, share * spread), peak, shape)
    if form == "coarse":
        return _draw_points(centres, max(0.8, 0.1 * spread), peak, shape)
    if form == "rims":
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        reach, wall = max(1.4, 0.14 * spread), max(0.7, 0.035 * spread)
        distances = [np.hypot(x - column, y - row) for column, row in centres]
        return peak * sum(np.exp(-(((distance - reach) / wall) ** 2)) for distance in distances)
    length = 0.35 * spread
    strokes = [
        (bend_curve(centre - place_polar(angle, length / 2.0), angle, length, rng.normal(0.0, 0.3)), peak)
        for centre, angle in zip(centres, rng.uniform(0.0, np.pi, len(centres)), strict=True)
    ]
    return paint_strokes(shape, strokes, max(1, round(0.07 * spread)), 0.4)


def _draw_points(centres: list[np.ndarray], size: float, peak: float, shape: tuple[int, int]) -> np.ndarray:
    """Return round specks of one size, as bright in the middle as ``peak`` says."""
    patch = np.zeros(shape, dtype=np.float32)
    for x, y in centres:
        column, row = round(float(x)), round(float(y))
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            patch[row, column] += peak * 2.0 * np.pi * size**2
    return gaussian_filter(patch, size)


def _draw_bed(region: Region, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return the lighter and darker rings of tissue around a group, recognisable in every view."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    distance = np.hypot(x, y) / (float(np.clip(region.radius, 5.0, 130.0)) / CELL)
    rings = sum(rng.normal(0.0, 13.0) * np.cos(k * np.pi * distance) for k in range(1, 7))
    return (region.bed + 70.0 * np.tanh(rings / 70.0)) * np.exp(-((distance / 1.4) ** 4))


SURROUND = Ring(
    count=(20, 30),
    place=(46.0 / CELL, 105.0 / CELL),
    length=(40.0 / CELL, 90.0 / CELL),
    brightness=(22.0, 58.0),
    wander=5.0 / CELL,
)
STROKE_WIDTH = 3

CORE = {"CALC": 0.0, "CIRC": 34.0, "SPIC": 32.0, "MISC": 26.0, "ARCH": 0.0, "ASYM": 20.0}
"""How much brighter than its surroundings the middle of a finding is."""
EDGE = {"CALC": 1.0, "CIRC": 1.2, "SPIC": 2.5, "MISC": 6.0, "ARCH": 1.0, "ASYM": 10.0}
"""Deviation in cells of the blur of a mass's edge."""


def draw_lesion(region: Region, rng: np.random.Generator) -> np.ndarray:
    """Draw a finding.

    Args:
        region: What it is.
        rng: The region's own generator.

    Returns:
        Grey levels to add, a square of odd edge in cells of the canvas, centred on the region.
    """
    core = float(np.clip(0.8 * region.radius, 14.0, 56.0)) / CELL
    half = int(max(150.0, 1.25 * region.radius) / CELL)
    shape = (2 * half + 1, 2 * half + 1)
    surround = draw_ring(SURROUND, region.pull, half, rng)
    patch = paint_strokes(shape, surround, STROKE_WIDTH, 1.3)
    if CORE[region.kind]:
        patch += CORE[region.kind] * rng.uniform(0.8, 1.2) * _draw_mass(region, core, half, rng)
    if region.kind == "SPIC":
        patch += paint_strokes(shape, _draw_spicules(core, half, rng), 1, 0.7)
    if region.kind == "CALC":
        patch += draw_specks(region, surround, half, rng)
    if region.radius > 70:
        patch += _draw_haze(region, half, rng)
    return patch


def _draw_mass(region: Region, core: float, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return a mass of height 1: smooth and round without pull, lobulated with it, of the same area."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    turn, aspect = rng.uniform(0.0, np.pi), rng.uniform(1.0, 1.25)
    u = (x * np.cos(turn) + y * np.sin(turn)) * aspect
    v = (y * np.cos(turn) - x * np.sin(turn)) / aspect
    angle = np.arctan2(v, u)
    outline = np.ones_like(angle)
    for lobes in range(3, 8):
        outline += 0.13 * region.pull * rng.normal() * np.cos(lobes * angle + rng.uniform(0.0, 2.0 * np.pi))
    if region.kind == "ASYM":
        outline *= 1.3
    mass = gaussian_filter((np.hypot(u, v) < core * outline).astype(np.float32), EDGE[region.kind])
    if region.kind in ("MISC", "ASYM"):
        mass *= 1.0 + 0.35 * draw_field(rng, 14, 2 * half + 1)
    return mass


def _draw_spicules(core: float, half: int, rng: np.random.Generator) -> list[Stroke]:
    """Return the short fine rays of spiculated masses; they are independent of the severity."""
    angles = rng.uniform(0.0, 2.0 * np.pi, int(rng.integers(10, 18)))
    return [
        (
            half
            + bend_curve(place_polar(a, 0.8 * core), a, core * rng.uniform(0.4, 0.9), rng.normal(0.0, 0.2)),
            42.0,
        )
        for a in angles
    ]


def _draw_haze(region: Region, half: int, rng: np.random.Generator) -> np.ndarray:
    """Return the faint body of a finding that is larger than the strokes around its middle."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    fall = np.clip(1.0 - np.hypot(x, y) / (region.radius / CELL), 0.0, 1.0)
    return np.sqrt(fall) * rng.uniform(6.0, 12.0)


SMALLEST, LARGEST = 3, 197
CONTRARY = 0.15
"""Share of the regions of each severity that look like the other one; calcifications never do."""
UNDECIDED = 0.5
"""Share of the calcifications of each severity that look like neither.

A network told which is which can learn those by heart alone. That is what a split which divides the views of one
scan rewards, so the phantom shows how much a leak is worth; one that looks plainly like the other severity would
decide such a small study by the luck of its test set.
"""
BEDS = (-45.0, -22.0, 0.0, 22.0, 45.0)
"""How much brighter the tissue is in which calcifications lie."""


def draw_looks(regions: list[Region], rng: np.random.Generator) -> None:
    """Assign a radius that is independent of the severity, and strokes that are not.

    Both are assigned from evenly spaced quantiles within each class and severity, so that seeds differ little.
    """
    for kind, severity in sorted({(region.kind, region.severity) for region in regions}):
        own = [region for region in regions if (region.kind, region.severity) == (kind, severity)]
        ranks = (rng.permutation(len(own)) + rng.random(len(own))) / len(own)
        for region, rank in zip(own, ranks, strict=True):
            # A log-logistic with the median and the spread of radii that such notes have.
            radius = round(36.0 * (rank / (1.0 - rank)) ** 0.36)
            region.radius = int(np.clip(radius, SMALLEST + 1, LARGEST - 1))
    for severity in "BM":
        own = [region for region in regions if region.severity == severity]
        specks = [region for region in own if region.kind == "CALC"]
        others = [region for region in own if region.kind != "CALC"]
        _draw_pulls(specks, severity, 0, round(UNDECIDED * len(specks)), rng)
        _draw_pulls(others, severity, round(CONTRARY * len(others)), 0, rng)
    specks = [region for region in regions if region.kind == "CALC"]
    _draw_marks(specks, rng)
    min(specks, key=lambda region: region.radius).radius = SMALLEST
    max(regions, key=lambda region: region.radius).radius = LARGEST


def _draw_pulls(
    regions: list[Region], severity: str, contrary: int, undecided: int, rng: np.random.Generator
) -> None:
    """Assign the pull of regions of one severity; a share looks like the other one, a share like neither."""
    for turn, index in enumerate(rng.permutation(len(regions))):
        share = rng.uniform(0.7, 1.0)
        pull = share if (severity == "M") != (turn < contrary) else 1.0 - share
        regions[index].pull = rng.uniform(0.4, 0.6) if turn < undecided else pull


def _draw_marks(specks: list[Region], rng: np.random.Generator) -> None:
    """Assign form and bed of calcifications: no two of 25 are alike, and both are independent of the severity."""
    shuffled = [specks[i] for i in rng.permutation(len(specks))]
    beds = {form: rng.permutation(BEDS) for form in FORMS}
    # Sorting keeps the shuffled order within a severity, so that each severity has its share of every form.
    for turn, region in enumerate(sorted(shuffled, key=lambda region: region.severity)):
        region.form = FORMS[turn % len(FORMS)]
        region.bed = float(beds[region.form][turn // len(FORMS) % len(BEDS)]) + rng.uniform(-4.0, 4.0)

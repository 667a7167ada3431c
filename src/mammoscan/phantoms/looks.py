"""How findings come by their radius and by the shape that tells their severity, or fails to."""

from __future__ import annotations

import numpy as np

from mammoscan.phantoms.region import Region
from mammoscan.phantoms.specks import FORMS

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
    """Give regions a radius that knows nothing of the severity, and strokes that do.

    Both are dealt from evenly spread shares within each class and severity, so that no seed has a lucky hand.
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
    """Give regions of one severity their pull; so many look like the other one, so many like neither."""
    for turn, index in enumerate(rng.permutation(len(regions))):
        share = rng.uniform(0.7, 1.0)
        pull = share if (severity == "M") != (turn < contrary) else 1.0 - share
        regions[index].pull = rng.uniform(0.4, 0.6) if turn < undecided else pull


def _draw_marks(specks: list[Region], rng: np.random.Generator) -> None:
    """Give calcifications their form and bed: of 25 no two are alike, and neither knows of the severity."""
    shuffled = [specks[i] for i in rng.permutation(len(specks))]
    beds = {form: rng.permutation(BEDS) for form in FORMS}
    # Sorting keeps the shuffled order within a severity, so that each severity has its share of every form.
    for turn, region in enumerate(sorted(shuffled, key=lambda region: region.severity)):
        region.form = FORMS[turn % len(FORMS)]
        region.bed = float(beds[region.form][turn // len(FORMS) % len(BEDS)]) + rng.uniform(-4.0, 4.0)

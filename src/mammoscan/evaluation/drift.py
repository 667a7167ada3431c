"""A finished model on images from elsewhere, beside what its own test had promised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mammoscan.evaluation.comparison import subtract_measures
from mammoscan.records.card import Card

DECIDED = ("sensitivity", "specificity")
CALIBRATED = ("brier", "slope", "intercept", "ece")


def measure_drift(
    card: Card,
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    measured: Mapping[str, Any],
    calibration: Mapping[str, Any],
) -> dict[str, Any]:
    """Set the measures on external images beside those of the model's card.

    Args:
        card: The model's.
        samples: The external images, with ``flagged`` where the model calls one out of distribution.
        predictions: What it says of them.
        measured: Its measures there.
        calibration: Likewise.

    Returns:
        ``measures``: for each measure that both tests have ``internal``, ``external`` and ``difference``, external less
        internal, with its interval; ``prevalence``: the positive label's share ``internal`` (None where the card lacks
        it) and ``external``, and ``predicted``, the mean probability; ``flagged``: the share of images out of
        distribution, ``internal`` of held-out ones.
    """
    internal: dict[str, Any] = {"auc": card.metrics.get("auc")}
    if card.operation:
        internal |= {name: card.operation["chosen"].get(name) for name in DECIDED}
    if card.calibration:
        side = card.calibration["after" if card.temperature != 1 else "before"]
        internal |= {name: side.get(name) for name in CALIBRATED}
    external = {name: measured.get(name) for name in ("auc", *DECIDED)} | {
        name: calibration.get(name) for name in CALIBRATED
    }
    total = sum(card.label_samples.values())
    flags = card.out_of_distribution
    both = {name: (value, external.get(name)) for name, value in internal.items()}
    return {
        "measures": {
            name: {"internal": inside, "external": outside, "difference": subtract_measures(outside, inside)}
            for name, (inside, outside) in both.items()
            if inside and outside
        },
        "prevalence": {
            "internal": card.label_samples[card.positive] / total if total else None,
            "external": float((samples["label"] == card.positive).mean()),
            "predicted": float(predictions[f"p_{card.positive}"].mean()),
        },
        "flagged": {
            "internal": None if flags is None else flags.held_out.get("value"),
            "external": None if flags is None else float(samples["flagged"].mean()),
        },
    }

"""What the numbers of a report say: against chance, beside the simple models, and of the leaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mammoscan.number_format import is_number
from mammoscan.reporting.render import say
from mammoscan.studies import STUDIES

Tone = Literal["good", "doubt", "nothing", "worse", "unknown"]

# Where a useless model stands, whatever the shares of the labels are.
CHANCE = {"auc": 0.5, "r2": 0.0, "kappa": 0.0}


def find_chance(metrics: Mapping[str, Mapping[str, Any]], metric: str) -> float | None:
    """Return where a useless model stands: 0.5 for the AUC, else what the majority baseline reaches."""
    if metric in CHANCE:
        return CHANCE[metric]
    value = metrics.get("majority", {}).get(metric, {}).get("value")
    return float(value) if is_number(value) else None


def find_tone(measure: Mapping[str, Any], chance: float | None, leaking: bool = False) -> Tone:
    """Return how the network's value stands to chance.

    Args:
        measure: The value with its interval.
        chance: Where a useless model stands, if that is known.
        leaking: Whether the training side has seen test images, scans or patients.

    Returns:
        ``good``: the interval lies above chance; ``doubt``: it does, but the division leaks; ``nothing``: it includes
        chance, or there are too few patients; ``worse``: it lies below; ``unknown``: there is no interval.
    """
    if chance is None or not all(is_number(measure.get(key)) for key in ("value", "low", "high")):
        return "unknown"
    if measure.get("note"):
        return "nothing"
    if measure["low"] > chance:
        return "doubt" if leaking else "good"
    return "worse" if measure["high"] < chance else "nothing"


def find_best_baseline(
    metrics: Mapping[str, Mapping[str, Any]], metric: str
) -> tuple[str, Mapping[str, Any]] | None:
    """Return the best baseline by a measure, with its measure; one that only guesses does not count."""
    found = [
        (model, measures[metric])
        for model, measures in metrics.items()
        if model not in ("cnn", "majority", "mean")
        and isinstance(measures.get(metric), Mapping)
        and is_number(measures[metric].get("value"))
    ]
    return max(found, key=lambda pair: float(pair[1]["value"]), default=None)


def find_leak(audit: Mapping[str, Any]) -> bool:
    """Return whether an audit found any test image, its near copy, scan or patient on the training side."""
    shared = (audit.get(name) for name in ("exact", "views", "region", "source", "patient"))
    near = audit.get("near") or {}
    return bool(near.get("beyond_chance")) or any(
        isinstance(found, Mapping) and found.get("count") for found in shared
    )


def say_baselines(
    metrics: Mapping[str, Mapping[str, Any]], metric: str, difference: Mapping[str, Any] | None = None
) -> str:
    """Return how the network compares with the best simple model, or nothing where there is none.

    Args:
        metrics: The measures of all models.
        metric: Name of the measure.
        difference: The paired difference, network less that model, if it was computed.
    """
    best = find_best_baseline(metrics, metric)
    measure = metrics.get("cnn", {}).get(metric) or {}
    if best is None or not is_number(measure.get("value")):
        return ""
    return say("baselines", *best, measure, difference)


def say_worth(
    audit: Mapping[str, Any], claimed: Mapping[str, Any], apart: Mapping[str, Any] | None, metric: str = "auc"
) -> str:
    """Return what an article's number is worth and why.

    Args:
        audit: The leak audit of the article's division.
        claimed: The measure under that division.
        apart: The same measure with patients kept apart, if it was measured.
        metric: Name of the measure.
    """
    tone = find_tone(apart, CHANCE.get(metric)) if apart else "unknown"
    return say("worth", audit, claimed, apart, tone, metric)


def say_folds(measures: Mapping[str, Any]) -> str:
    """Return the folds' own AUCs in words, or nothing where there are not several."""
    values = list(((measures.get("fold_auc") or {}).get("values") or {}).values())
    return say("folds", values) if len(values) > 1 else ""


def find_protocol(study: str) -> Literal["patient", "author"]:
    """Return the protocol of a study, or of the variants that a page compares."""
    return next(
        record.protocol
        for record in STUDIES.values()
        if record.name == study or record.name.startswith(f"{study}.")
    )

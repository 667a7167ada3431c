"""Nested parameters and metrics under the flat names that MLflow wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mammoscan.tracking.headline import NETWORK, find_headline, format_interval


def flatten(block: Any, prefix: str) -> dict[str, Any]:
    """Return a nested block of parameters as dotted names and plain values."""
    if isinstance(block, BaseModel):
        block = block.model_dump(mode="json")
    if isinstance(block, Mapping) and block:
        flat: dict[str, Any] = {}
        for key, value in block.items():
            flat |= flatten(value, f"{prefix}.{key}")
        return flat
    return {prefix: block}


def find_models(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the measures by model, also of an opened lockbox, which keeps them beside what else it found."""
    models: Mapping[str, Any] = metrics.get("models", metrics)
    return models


def flatten_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return a study's measures under plain names: ``auc`` of the network, ``texture_auc`` of a baseline.

    The rest of the baselines and what is measured per label stay in ``metrics.json``.
    """
    flat: dict[str, Any] = {}
    for name, measures in metrics.items():
        if name == NETWORK:
            flat |= {key: _read_value(value) for key, value in measures.items()}
        else:
            headline = find_headline(measures) or "auc"
            flat[f"{name}_{headline}"] = _read_value(measures.get(headline))
    return {name: float(value) for name, value in flat.items() if _is_number(value)}


def format_intervals(metrics: Mapping[str, Any]) -> str:
    """Return the intervals of the network's measures as one text, ``auc [0.62, 0.79]; accuracy [0.55, 0.71]``."""
    measures = metrics.get(NETWORK, {}).items()
    texts = {
        name: format_interval(measure)
        for name, measure in measures
        # Labels may be called low and high: measures of theirs are no numbers.
        if isinstance(measure, Mapping) and _is_number(measure.get("low")) and _is_number(measure.get("high"))
    }
    return "; ".join(f"{name} {text}" for name, text in texts.items() if text)


def list_fold_auc(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the network's AUC on the test side of each fold, by the fold's name, where it is defined."""
    values = metrics.get(NETWORK, {}).get("fold_auc", {}).get("values", {})
    return {name: float(value) for name, value in values.items() if _is_number(value)}


def _read_value(measure: Any) -> Any:
    return measure.get("value", measure.get("mean")) if isinstance(measure, Mapping) else measure


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value

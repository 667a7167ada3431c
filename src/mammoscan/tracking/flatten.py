"""Nested parameters and metrics under the flat names that MLflow wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


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


def flatten_metrics(block: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers in nested metrics under names like ``cnn/auc`` and ``cnn/auc_low``."""
    flat: dict[str, float] = {}
    for key, value in block.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if "value" in value:
                parts = {
                    name: value["value"],
                    f"{name}_low": value.get("low"),
                    f"{name}_high": value.get("high"),
                }
                flat |= {
                    part: float(number) for part, number in parts.items() if isinstance(number, int | float)
                }
            else:
                flat |= flatten_metrics(value, f"{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[name] = float(value)
    return {name: number for name, number in flat.items() if number == number}

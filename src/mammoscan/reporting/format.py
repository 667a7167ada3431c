"""Values as a reader wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.figures.style import is_number


def format_percent(measure: Mapping[str, Any], digits: int = 0) -> str:
    """Return a share with its interval in percent, e.g. ``72 % [61, 82]``."""
    value, low, high = (measure.get(key) for key in ("value", "low", "high"))
    if not is_number(value):
        return "not defined"
    text = f"{100 * float(value):.{digits}f} %"  # type: ignore[arg-type]
    if not (is_number(low) and is_number(high)):
        return text
    return f"{text} [{100 * float(low):.{digits}f}, {100 * float(high):.{digits}f}]"  # type: ignore[arg-type]


def format_value(value: Any) -> str:
    """Return a parameter's value; a missing one is ``none``."""
    if value is None or value != value:
        return "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)

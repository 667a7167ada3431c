"""How numbers are written, everywhere: reports, cards, figures, MLflow and the page.

- A share of n cases gets no more digits than n bears: whole per cent below 1,000 cases, one digit from there on. A
  share that is not 0 or 1 is never rounded to it: ``< 1 %``.
- Measures (AUC, sensitivity, Brier score, net benefit, …), probabilities and thresholds have two decimals; from 10 on
  they have none.
- Measures in the unit of a predicted number have three digits of its standard deviation: an age has one decimal.
- Changes of a loss and standard deviations have three: they are small, and only compared with each other.
- What an article or a parameter states stands as it was stated.
- Numbers to calculate with stand in files, and in the report's table of all numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# From so many cases on one of them is 0.1 per cent or less.
MANY_CASES = 1000


def is_number(value: object) -> bool:
    """Return whether a value is a finite number (``None`` and NaN stand for "not defined")."""
    try:
        return abs(float(value)) < float("inf")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def format_fixed(value: float, digits: int = 2) -> str:
    """Return a number with so many decimals; 0 has no sign."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def choose_digits(value: float) -> int:
    """Return how many decimals a measure bears: from 10 on, such as a number needed to recall, none."""
    return 0 if abs(value) >= 10 else 2


def format_measure(measure: Mapping[str, Any], digits: int = 2) -> str:
    """Return ``0.72 [0.61, 0.82]``, or only the value when there is no interval.

    A measure in the unit of a predicted number says itself how many ``digits`` it has.
    """
    value, low, high = (measure.get(key) for key in ("value", "low", "high"))
    if not is_number(value):
        return "not defined"
    digits = digits if choose_digits(float(value)) else 0  # type: ignore[arg-type]
    digits = int(measure.get("digits", digits))
    text = format_fixed(float(value), digits)  # type: ignore[arg-type]
    # A score that is the same for every sample has an AUC of 0.5 by definition, and no interval.
    if not (is_number(low) and is_number(high)) or low == high:
        return text
    return f"{text} [{format_fixed(float(low), digits)}, {format_fixed(float(high), digits)}]"  # type: ignore[arg-type]


def format_share(share: float | None, cases: int | None = None) -> str:
    """Return a share in per cent, ``3 %``.

    Args:
        share: From 0 to 1; None is not defined.
        cases: Of how many; None where that is not known.
    """
    if not is_number(share):
        return "–"
    return f"{_round_share(float(share), cases)} %"  # type: ignore[arg-type]


def format_share_measure(measure: Mapping[str, Any], cases: int | None = None) -> str:
    """Return a share with its interval in per cent, ``72 % [61, 82]``."""
    value, low, high = (measure.get(key) for key in ("value", "low", "high"))
    if not is_number(value):
        return "not defined"
    text = format_share(value, cases)
    if not (is_number(low) and is_number(high)):
        return text
    return f"{text} [{_round_share(float(low), cases)}, {_round_share(float(high), cases)}]"  # type: ignore[arg-type]


def state_share(share: float) -> str:
    """Return a share that was set or stated, and not measured, with the digits that it has: ``0.5 %``."""
    return f"{round(100 * share, 6):g} %"


def _round_share(share: float, cases: int | None) -> str:
    digits = 1 if cases is not None and cases >= MANY_CASES else 0
    text = format_fixed(100 * share, digits)
    smallest = format_fixed(10**-digits, digits)
    if 0 < share < 1 and float(text) == 0:
        return f"< {smallest}"
    if 0 < share < 1 and float(text) == 100:
        return f"> {format_fixed(100 - 10**-digits, digits)}"
    return text

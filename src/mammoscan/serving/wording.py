"""What the service says of its model, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTICE = "Research use. Not a medical device."

_DATA = {
    "phantom": "Trained on a phantom: synthetic images, not patients. Its answers say nothing about real images.",
    "modified": "Trained on files that differ from the published ones.",
}
_AUTHOR = "Trained by the article's own protocol, with images of one patient on both sides: its figures are too good."


def list_cautions(card: Mapping[str, Any]) -> list[str]:
    """Return why a model's answers must not be relied on: a phantom, changed files, an author's protocol."""
    cautions = [_DATA[card["data"]]] if card.get("data") in _DATA else []
    return [*cautions, _AUTHOR] if card.get("protocol") == "author" else cautions


def describe_threshold(card: Mapping[str, Any]) -> str | None:
    """Return what the threshold means, or None where there are more than two labels."""
    labels, positive = card["labels"], card["positive"]
    if len(labels) != 2:
        return None
    other = next(label for label in labels if label != positive)
    words = [
        f"From a probability of {card['threshold']:.2f} for “{positive}” on, the answer is “{positive}”; below it, "
        f"“{other}”."
    ]
    if card.get("threshold_rule"):
        words.append(f"The rule of this threshold: {card['threshold_rule']}.")
    chosen = (card.get("operation") or {}).get("chosen") or {}
    shares: list[Any] = [(chosen.get(key) or {}).get("value") for key in ("sensitivity", "specificity")]
    if None not in shares:
        found, left = (f"{100 * share:.0f} %" for share in shares)
        words.append(
            f"On {card['data']} patients that the networks had not seen it found {found} of “{positive}” and left "
            f"{left} of the others alone."
        )
    return " ".join(words)

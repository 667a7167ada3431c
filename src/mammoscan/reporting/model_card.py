"""The model's card for people (Markdown) and for machines (the keys of a MONAI bundle's metadata)."""

from __future__ import annotations

from typing import Any

from mammoscan.figures.style import NOTICE
from mammoscan.records.card import Card, WindowInput
from mammoscan.reporting.division import Division
from mammoscan.reporting.render import render_text

INTENDED_USE = (
    "Research and teaching. It is not a medical device: no part of it may decide, or help to decide, what happens to "
    "a patient."
)
MEASURES = ("auc", "accuracy", "sensitivity", "specificity", "average_precision", "brier")
TARGET_MEASURES = (
    *("kappa", "accuracy", "within_one", "r2", "mae", "rmse", "icc", "correlation"),
    *("bias", "limit_low", "limit_high"),
)


def choose_notice(kind: str, division: Division) -> str:
    """Return the sentences that go with every answer of a model.

    Args:
        kind: ``real``, ``phantom`` or ``modified`` data.
        division: What the division kept apart.
    """
    words = [NOTICE]
    if kind == "phantom":
        words.append("Trained on a phantom: synthetic images, not patients.")
    if kind == "modified":
        words.append("Trained on modified data: not the published images.")
    if division == "images":
        words.append("Images kept apart; patients unknown.")
    if division == "shared":
        words.append("Images of one patient are in training and test: its figures are too good.")
    if division == "article":
        words.append("Trained by an article's own procedure, in which test images are known from training.")
    return " ".join(words)


def write_markdown(card: Card) -> str:
    """Return the card as Markdown."""
    return render_text(
        "model_card.md.j2",
        card=card,
        measures=list_measures(card),
        headline=next((name for name in ("kappa", "r2") if card.target and name in card.metrics), "auc"),
        limits=list_limits(card),
        intended_use=INTENDED_USE,
    )


def list_measures(card: Card) -> tuple[str, ...]:
    """Return the measures that a card shows, where it has them."""
    return MEASURES if card.target is None else TARGET_MEASURES


def list_limits(card: Card) -> list[str]:
    """Return what a user of the model must know, in sentences."""
    limits = list(card.limits)
    who = "images" if card.patients is None or not card.patients_apart else "patients"
    if card.protocol == "patient":
        limits.append(
            f"The figures are those of {card.folds} networks, each measured on {who} that it had not seen. The "
            f"model itself was trained on all {who}, so that none is left to measure it on. Each "
            f"of them learnt from fewer {who} than it, and "
            + (
                "its temperature and threshold come"
                if card.target is None
                else "the range of its answers comes"
            )
            + " from their answers."
        )
    else:
        limits.append(
            "By the article's own procedure the test images are known from training: its figures say nothing of new "
            "patients."
        )
    if card.out_of_distribution is None:
        limits.append("It does not notice images that are unlike those that it was trained on.")
    return limits


def build_metadata(card: Card) -> dict[str, Any]:
    """Return the card in the keys of a MONAI bundle's ``metadata.json``, with what has no key there beside them."""
    height, width, channels = card.shape
    names = {str(index): label for index, label in enumerate(card.labels)}
    return {
        "version": card.versions.get("mammoscan", ""),
        "changelog": {card.versions.get("mammoscan", ""): f"run {card.run_id or 'unknown'}"},
        "required_packages_version": {"python": card.python, **card.versions},
        "name": f"mammoscan-{card.study}",
        "task": card.question,
        "description": f"{card.title}. {card.notice}",
        "intended_use": INTENDED_USE,
        "authors": "written by code from the run",
        "data_source": card.address or card.citation,
        "data_type": card.data,
        "references": [card.citation],
        "copyright": card.licence,
        "image_classes": f"uint8, {height} x {width} x {channels}",
        "label_classes": names,
        "pred_classes": f"one of {', '.join(card.labels)}" if card.target is None else card.target.quantity,
        "eval_metrics": {
            key: {part: card.metrics[key].get(part) for part in ("value", "low", "high")}
            for key in list_measures(card)
            if key in card.metrics
        },
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "num_channels": channels,
                    "spatial_shape": [height, width],
                    "dtype": "uint8",
                    "value_range": [0, 255],
                    "is_patch_data": card.input.kind != "image",
                    "channel_def": _name_channels(card),
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "classes",
                    "num_channels": len(card.labels),
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": False,
                    "channel_def": names,
                }
                if card.target is None
                else {
                    "type": "regression",
                    "format": "number",
                    "num_channels": 1,
                    "dtype": "float32",
                    "value_range": [card.target.low, card.target.high],
                    "is_patch_data": False,
                    "channel_def": {"0": " ".join((card.target.quantity, card.target.measured_in)).strip()},
                }
            },
        },
        "mammoscan": card.model_dump(mode="json", exclude={"metrics", "versions"}),
        "limits": list_limits(card),
    }


def _name_channels(card: Card) -> dict[str, str]:
    if isinstance(card.input, WindowInput) and len(card.input.scales) > 1:
        return {str(number): f"window of scale {scale:g}" for number, scale in enumerate(card.input.scales)}
    return {"0": "grey"} if card.shape[2] == 1 else {"0": "R", "1": "G", "2": "B"}

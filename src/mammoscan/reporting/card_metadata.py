"""A model's card for machines, in the keys of a MONAI bundle's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.reporting.model_card import INTENDED_USE, MEASURES, list_limits


def build_metadata(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card in the keys of a MONAI bundle's ``metadata.json``, with what has no key there beside them.

    Args:
        card: What ``write_card`` gathered.
    """
    height, width, channels = card["shape"]
    return {
        "version": card["versions"]["mammoscan"],
        "changelog": {card["versions"]["mammoscan"]: f"run {card['run_id'] or 'unknown'}"},
        "required_packages_version": {"python": card["python"], **card["versions"]},
        "name": f"mammoscan-{card['study']}",
        "task": card["question"],
        "description": f"{card['title']}. {card['notice']}",
        "intended_use": INTENDED_USE,
        "authors": "written by code from the run",
        "data_source": card["address"] or card["citation"],
        "data_type": card["data"],
        "references": [card["citation"]],
        "copyright": card["licence"],
        "image_classes": f"uint8, {height} x {width} x {channels}",
        "label_classes": {str(index): label for index, label in enumerate(card["labels"])},
        "pred_classes": f"one of {', '.join(card['labels'])}",
        "eval_metrics": {
            key: {part: card["metrics"][key].get(part) for part in ("value", "low", "high")}
            for key in MEASURES
            if key in card["metrics"]
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
                    "is_patch_data": card["input"]["kind"] != "image",
                    "channel_def": {"0": "grey"} if channels == 1 else {"0": "R", "1": "G", "2": "B"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "classes",
                    "num_channels": len(card["labels"]),
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": False,
                    "channel_def": {str(index): label for index, label in enumerate(card["labels"])},
                }
            },
        },
        "mammoscan": {key: value for key, value in card.items() if key not in ("metrics", "versions")},
        "limits": list_limits(card),
    }

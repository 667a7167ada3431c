"""A model's card for machines, in the keys of a MONAI bundle's metadata.

A model's card for people: what it is, on what it was measured, and what it is not for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mammoscan.figures.style import NOTICE, is_number
from mammoscan.reporting.sentences import name_measure

INTENDED_USE = (
    "Research and teaching. It is not a medical device: no part of it may decide, or help to decide, what happens to "
    "a patient."
)
MEASURES = ("auc", "accuracy", "sensitivity", "specificity", "average_precision", "brier")


def choose_notice(kind: str, protocol: str) -> str:
    """Return what every answer of a model says of itself.

    Args:
        kind: ``real``, ``phantom`` or ``modified`` data.
        protocol: ``patient`` or ``author``.
    """
    words = [NOTICE]
    if kind == "phantom":
        words.append("Trained on a phantom: synthetic images, not patients.")
    if kind == "modified":
        words.append("Trained on modified data: not the published images.")
    if protocol == "author":
        words.append("Trained by an article's own procedure, in which test images are known from training.")
    return " ".join(words)


def write_markdown(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        card: What ``write_card`` gathered.
    """
    parts = [
        f"# Model card: {card['study']}",
        f"**{card['notice']}**",
        f"{card['title']}. {card['question']}",
        "## Intended use",
        INTENDED_USE,
        "## Data",
        _list_facts(_describe_data(card)),
        "## How it was measured",
        _say_protocol(card),
        _write_table(
            ("Measure", "Value", f"{100 * card['level']:g} % interval over patients"),
            (
                (name_measure(key), *_split(card["metrics"][key]))
                for key in MEASURES
                if key in card["metrics"]
            ),
        ),
        "Simple models on the same division, AUC: "
        + "; ".join(f"{name} {' '.join(_split(value))}" for name, value in card["baselines"].items())
        + ".",
        *_describe_trust(card),
        *_describe_subgroups(card),
        "## Limits",
        "\n".join(f"- {limit}" for limit in list_limits(card)),
        "## The model",
        _list_facts(_describe_model(card)),
        "## How to repeat it",
        f"At commit `{card['commit'] or 'unknown'}`, with the versions below:",
        f"```bash\n{card['command']}\n```",
        "The same seeds give the same bits on one machine; another machine rounds otherwise.",
        _write_table(("Package", "Version"), [("python", card["python"]), *card["versions"].items()]),
    ]
    return "\n\n".join(parts) + "\n"


def list_limits(card: Mapping[str, Any]) -> list[str]:
    """Return what a user of the model must know, in sentences."""
    limits = list(card["limits"])
    if card["protocol"] == "patient":
        limits.append(
            f"The figures are those of {card['folds']} networks, each measured on patients that it had not seen. The "
            "model itself was trained on all patients, so that none is left to measure it on."
        )
    else:
        limits.append(
            "By the article's own procedure the test images are known from training: its figures say nothing of new "
            "patients."
        )
    if card["out_of_distribution"] is None:
        limits.append("It does not notice images that are unlike those that it was trained on.")
    return limits


def _describe_data(card: Mapping[str, Any]) -> dict[str, Any]:
    counts = ", ".join(f"{count:,} {label}" for label, count in card["label_samples"].items())
    return {
        "Data set": f"{card['dataset']} ({card['data']})",
        "Used": f"{card['samples']:,} {card['unit']} of {card['patients']:,} patients: {counts}",
        "Fingerprint": f"`{card['data_fingerprint']}`",
        "Citation": card["citation"],
        "Licence": card["licence"],
        "Address": card["address"] or "none",
    }


def _describe_model(card: Mapping[str, Any]) -> dict[str, Any]:
    training = card["training"]
    return {
        "Network": f"{training['network']['name']}, {card['parameters']:,} parameters",
        "Input": f"uint8, {' x '.join(map(str, card['shape']))}",
        "Positive label": card["positive"],
        "Threshold": f"{card['threshold']:.3f} ({card['threshold_rule']})",
        "Temperature": f"{card['temperature']:.3f}",
        "Best epochs of the folds": ", ".join(map(str, card["best_epochs"])),
        "Epochs": card.get("epochs", "the best of its own training"),
        "MLflow run": f"`{card['run_id'] or 'none'}`",
    }


def _say_protocol(card: Mapping[str, Any]) -> str:
    if card["protocol"] == "patient":
        return (
            f"{card['folds']} folds; no patient stands on both sides of a fold. The AUC compares samples of one "
            "fold; other measures pool the out-of-fold predictions, decided at even odds where a decision is needed "
            "and no fixed threshold was asked for, not calibrated."
        )
    return f"The article's own division into {card['folds']} part(s), which does not keep patients apart."


def _describe_trust(card: Mapping[str, Any]) -> list[str]:
    if "calibration" not in card:
        return []
    sides = card["calibration"]
    parts = [
        "## Calibration and threshold",
        "Fitted on out-of-fold predictions; the figures are cross-fitted.",
        _write_table(
            ("", "before calibration", "after"),
            (
                (name_measure(key), *(" ".join(_split(sides[side][key])) for side in sides))
                for key in ("brier", "ece")
            ),
        ),
    ]
    if card["operation"]:
        chosen = {key: value for key, value in card["operation"]["chosen"].items() if key != "counts"}
        parts += [
            f"At the threshold, and where {100 * card['prevalence']:g} % are {card['positive']}:",
            _write_table(
                ("Measure", "Value", "Interval"),
                ((key.replace("_", " "), *_split(value)) for key, value in chosen.items()),
            ),
        ]
    parts.append(
        "The out-of-distribution check wrongly flags "
        f"{' '.join(_split(card['out_of_distribution']['held_out']))} of held-out images (share, with interval)."
    )
    return parts


def _describe_subgroups(card: Mapping[str, Any]) -> list[str]:
    if not card["subgroups"]:
        return []
    rows = (
        (
            f"{row['by']} {row['subgroup']}",
            f"{row['samples']:,}",
            f"{row['patients']:,}",
            *_split(row),
            row["note"] or "",
        )
        for row in card["subgroups"]
    )
    return [
        "## Subgroups, AUC",
        _write_table(("Subgroup", "Samples", "Patients", "AUC", "Interval", "Note"), rows),
    ]


def _split(measure: Mapping[str, Any]) -> tuple[str, str]:
    if not is_number(measure.get("value")):
        return "not measured", ""
    if not (is_number(measure.get("low")) and is_number(measure.get("high"))):
        return f"{measure['value']:.3f}", ""
    return f"{measure['value']:.3f}", f"[{measure['low']:.3f}, {measure['high']:.3f}]"


def _list_facts(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _write_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


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

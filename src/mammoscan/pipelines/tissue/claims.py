"""The sections that put an article's claims beside what came out here, and say what they are worth."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mammoscan.pipelines.author import tabulating
from mammoscan.studies import SplitParams

# What the BreaKHis article states; its precision and recall are on as many benign as malignant images.
ACCURACY, PRECISION, RECALL, F1, AREA = 0.983, 0.65, 0.95, 0.77, 0.692


def describe_breakhis_claims(
    metrics: dict[str, Any], history: dict[str, Any], folds: pd.DataFrame, leak_audit: dict[str, Any]
) -> dict[str, Any]:
    """Show how 98.3 % accuracy and a ROC-AUC of .692 can stand in one article: they are not of the same images."""
    network = metrics["cnn"]
    sides = folds["fold_0"].value_counts()
    best = max(epoch["val_accuracy"] for epoch in history["epochs"])
    hard = _average(network["sensitivity"], network["specificity"])
    false_alarms = RECALL * (1 - PRECISION) / PRECISION
    implied = (RECALL + 1 - false_alarms) / 2
    rows = [
        [
            "Images to train",
            "2,000, divided 80/20",
            f"{sides.get('train', 0):,} + {sides.get('validation', 0):,}",
            "",
        ],
        ["Further images", "500", f"{sides.get('test', 0):,}", "not used in training"],
        [
            "Accuracy on the images that chose the epoch",
            f"{100 * ACCURACY:.1f} %",
            f"{100 * best:.1f} %",
            "the best of all epochs, on the images by which it is the best",
        ],
        ["Accuracy on the further images", "", format_percent(network["accuracy"]), ""],
        ["Precision on malignant", f"{100 * PRECISION:.0f} %", format_percent(network["precision"]), ""],
        ["Recall on malignant", f"{100 * RECALL:.0f} %", format_percent(network["sensitivity"]), ""],
        ["F1 on malignant", f"{F1:.2f}", _format(network["f1"]), ""],
        ["ROC-AUC of hard labels", f"{AREA:.3f}", hard, "the mean of recall and specificity"],
        ["ROC-AUC of probabilities", "", _format(network["auc"]), ""],
    ]
    paragraphs = [
        "The article states 98.3 % accuracy and a ROC-AUC of .692. Of the same images that cannot be. A curve drawn "
        "from hard labels has one point, and the area under it is the mean of recall and specificity; with as many "
        "benign as malignant images that is the accuracy itself. An accuracy of 98.3 % would make it .983.",
        f"Its own precision of {PRECISION:.2f} at a recall of {RECALL:.2f} says the same: with equal classes they mean "
        f"false alarms on {100 * false_alarms:.0f} % of the benign images, hence an accuracy, and an area of hard "
        f"labels, of about {implied:.2f}. The reading that makes both true: 98.3 % is of the images that chose the "
        "epoch, the other four figures of other images, on which the network is right about seven times in ten.",
        f"Here the best accuracy on the images that chose the epoch is {100 * best:.1f} %, and on the further images "
        f"it is {format_percent(network['accuracy'])}; the area of hard labels is {hard}, that of probabilities "
        f"{_format(network['auc'])}. Hard labels throw the ranking away: that is all that stands between the last two.",
        say_shared(leak_audit),
    ]
    return _make(paragraphs, rows)


def describe_listed_claims(
    metrics: dict[str, Any], history: dict[str, Any], leak_audit: dict[str, Any], split: SplitParams
) -> dict[str, Any]:
    """Put the claims on the 400X images beside what came out here."""
    epochs = history["epochs"]
    learnt = next((epoch["epoch"] for epoch in epochs if epoch["accuracy"] >= 0.9995), None)
    seconds = sum(epoch["seconds"] for epoch in epochs)
    rows = [
        ["Time to train", "256 s", f"{seconds:.0f} s", f"{len(epochs)} epochs on this machine"],
        [
            "Training accuracy of 100 %",
            "by about epoch 3",
            f"by epoch {learnt}" if learnt else "not reached",
            f"highest: {100 * max(epoch['accuracy'] for epoch in epochs):.1f} %",
        ],
        ["Accuracy on the other images", "85.5 %", format_percent(network_accuracy(metrics)), ""],
        ["AUC on the other images", "", _format(metrics["cnn"]["auc"]), ""],
    ]
    return _make([say_shared(leak_audit), _say_choice(split)], rows)


def describe_patch_claims(
    metrics: dict[str, Any], leak_audit: dict[str, Any], split: SplitParams
) -> dict[str, Any]:
    """Put the claim on the IDC patches beside what came out here."""
    tested = metrics["cnn"]
    frequent = max(label["samples"] for label in tested["labels"].values()) / tested["samples"]
    rows = [
        ["Accuracy on the other patches", "over 85 %", format_percent(network_accuracy(metrics)), ""],
        [
            "Always the more frequent answer",
            "",
            f"{100 * frequent:.0f} %",
            "what an accuracy has to be held against",
        ],
        ["Balanced accuracy", "", format_percent(tested["balanced_accuracy"]), ""],
        ["AUC", "", _format(tested["auc"]), ""],
    ]
    return _make([say_shared(leak_audit), _say_choice(split)], rows)


def network_accuracy(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the network's accuracy with its interval."""
    accuracy: dict[str, Any] = metrics["cnn"]["accuracy"]
    return accuracy


def say_shared(leak_audit: dict[str, Any]) -> str:
    """Say how many of the tested images are of patients that the network has learnt from."""
    shared = leak_audit["patient"]
    return (
        f"Images are divided, not patients: {100 * shared['share']:.0f} % of the tested images are of patients who "
        "have other images on the training side. A slide's stain is its own, so the network can know the slide "
        "instead of the tumour. The study of the same name without the author's division keeps patients apart: compare."
    )


def _say_choice(split: SplitParams) -> str:
    if split.choose_epoch_on == "test":
        return (
            "The article names one set beside the training set, so the tested images also chose the epoch; that "
            "flatters every figure here."
        )
    return "The epoch was chosen on a part of the training images, not on the tested ones."


def _make(paragraphs: list[str], rows: list[list[str]]) -> dict[str, Any]:
    table = {
        "caption": "What the article states, and what came out here",
        "columns": ["", "Article", "Here", "Note"],
        "rows": rows,
    }
    return {
        "title": "The article's figures beside ours",
        "paragraphs": paragraphs,
        "tables": [table],
        "figures": [],
    }


def _average(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one["value"] is None or other["value"] is None:
        return "not defined"
    return f"{(one['value'] + other['value']) / 2:.2f}"


def format_percent(measure: dict[str, Any]) -> str:
    """Return a share with its interval in percent, or that it is not defined: nothing may be called malignant."""
    return "not defined" if measure["value"] is None else tabulating.format_percent(measure)


def _format(measure: dict[str, Any]) -> str:
    if measure["value"] is None:
        return "not defined"
    if measure["low"] is None or measure["high"] is None:
        return f"{measure['value']:.2f}"
    return f"{measure['value']:.2f} [{measure['low']:.2f}, {measure['high']:.2f}]"

"""The variants of an article's study: its procedure with each flaw taken away, its experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from mammoscan.studies import ABLATION, EXPERIMENTS

MEASURES = ("auc", "accuracy", "sensitivity", "precision")

VARIANTS = {
    "published": "as published",
    "without_copies": "without the four exact copies",
    "without_rotations": "views of a region on one side",
    "without_crop_scale": "fixed window instead of the radius",
    "without_epoch_choice": "epoch chosen on validation images",
    "without_any": "all of these, patients apart",
    "unbalanced": "unbalanced, without copies, 275 epochs",
    "calcifications_class": "calcifications, class-balanced",
    "calcifications_full": "calcifications, fully balanced",
    "masses_class": "masses, class-balanced",
    "masses_full": "masses, fully balanced",
    "all_classes_class": "all classes, class-balanced",
    "all_classes_full": "all classes, fully balanced",
}


# What the article states: recall and precision on malignant cases of its best experiment.
CLAIMED = {"calcifications_class": {"claimed_recall": 0.97, "claimed_precision": 1.0}}


def read_variants(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``tabulate_variants`` with their measures as value, low and high."""
    for row in table.to_dict("records"):
        measures = {
            name: {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
            for name in MEASURES
        }
        facts = {name: row[name] for name in ("variant", "name", "best_epoch", "patients")}
        yield {**facts, "samples": row["images"], **measures}


def find_apart(table: pd.DataFrame) -> dict[str, Any] | None:
    """Return the AUC with all flaws taken away and patients kept apart, if it was measured."""
    return next((row["auc"] for row in read_variants(table) if row["variant"] == "without_any"), None)


def list_ablation(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the published procedure and each flaw taken away, with their measures."""
    return [
        {key: value for key, value in row.items() if key == "name" or key in MEASURES}
        for row in read_variants(table)
        if row["variant"] in ("published", *ABLATION)
    ]


def list_experiments(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return recall and precision of the article's experiments, with what it claims."""
    return [
        {
            "experiment": row["name"],
            "recall": row["sensitivity"],
            "precision": row["precision"],
            **CLAIMED.get(row["variant"], {}),
        }
        for row in read_variants(table)
        if row["variant"] in EXPERIMENTS
    ]


def list_claims(reproduction: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Return the article's claims as rows of texts."""
    return [
        {str(key): value for key, value in row.items()} for row in reproduction.fillna("").to_dict("records")
    ]

"""Accuracy by image and by patient, over all and within subgroups, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation.intervals import MIN_PATIENTS, TOO_FEW, interval_share
from mammoscan.evaluation.predictions import MAIN_MODEL, read_scored
from mammoscan.params import EvaluationParams, Question

EVERYTHING = "all"
MEASURES = ("image_accuracy", "patient_score")


def score_patients(
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Measure the share of the network's right answers, by image and by patient.

    The patient score is BreaKHis' own: the mean, over patients, of the share of a patient's images that are right.

    Args:
        predictions: Pooled predictions; those of the network count.
        samples: The samples, which know the subgroups.
        question: The labels and the positive one.
        evaluation: Threshold and level.
        by: Columns of ``samples``, each taken by itself.

    Returns:
        One row for all images (``by`` and ``subgroup`` are "all") and one per subgroup: ``images``, ``patients``,
        ``fewest`` (patients of the rarest label that occurs), ``image_accuracy`` and ``patient_score`` each with
        ``_low`` and ``_high``, and ``note``, which is empty unless there are too few patients.
    """
    network = predictions[predictions["model"] == MAIN_MODEL].reset_index(drop=True)
    known = samples.assign(sample_id=samples["sample_id"].astype(str)).set_index("sample_id")
    columns = known.reindex(network["sample_id"].astype(str).to_list())
    rows = [_score(network, question, evaluation) | {"by": EVERYTHING, "subgroup": EVERYTHING}]
    for name in by:
        levels = columns[name].astype(str).to_numpy()
        for level in sorted(set(levels), key=_sort_key):
            part = network[levels == level]
            rows.append(_score(part, question, evaluation) | {"by": name, "subgroup": level})
    measured = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    return pd.DataFrame(rows)[["by", "subgroup", "images", "patients", "fewest", *measured, "note"]]


def _score(part: pd.DataFrame, question: Question, evaluation: EvaluationParams) -> dict[str, Any]:
    scored = read_scored(part, question)
    right = scored.decide_labels(evaluation.cut) == scored.truth
    images = np.bincount(scored.patients, minlength=scored.n_patients).astype(float)
    hits = np.bincount(scored.patients, weights=right, minlength=scored.n_patients)

    measures = {
        "image_accuracy": interval_share(hits, images, evaluation.level),
        "patient_score": interval_share(
            hits / images, np.ones(scored.n_patients), evaluation.level, samples=len(part)
        ),
    }
    counts = scored.count_label_patients()
    fewest = int(counts[counts > 0].min())
    row: dict[str, Any] = {
        "images": len(part),
        "patients": scored.n_patients,
        "fewest": fewest,
        "note": TOO_FEW if fewest < MIN_PATIENTS else "",
    }
    for name, measure in measures.items():
        row |= {name: measure["value"], f"{name}_low": measure["low"], f"{name}_high": measure["high"]}
    return row


def _sort_key(level: str) -> tuple[int, str]:
    """Sort numbers by size and before words."""
    return (int(level), "") if level.isdigit() else (10**9, level)

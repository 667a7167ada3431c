"""Accuracy by image and by patient, over all and within subgroups, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoscan.evaluation.bootstrap import MIN_PATIENTS, TOO_FEW, resample_measures, summarise_draws
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
    """Measure how many answers of the network are right, image by image and patient by patient.

    The patient score is BreaKHis' own: the mean, over patients, of the share of a patient's images that are right.

    Args:
        predictions: Pooled predictions; those of the network count.
        samples: The samples, which know the subgroups.
        question: The labels and the positive one.
        evaluation: Threshold, number of resamples, level and seed.
        by: Columns of ``samples``, each taken by itself.

    Returns:
        One row for all images (``by`` and ``subgroup`` are "all") and one a subgroup: ``images``, ``patients``,
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


def _score(part: pd.DataFrame, question: Question, evaluation: EvaluationParams) -> dict:
    scored = read_scored(part, question)
    right = scored.decide_labels(evaluation.cut) == scored.truth
    images = np.bincount(scored.patients, minlength=scored.n_patients).astype(float)
    hits = np.bincount(scored.patients, weights=right, minlength=scored.n_patients)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "image_accuracy": weights @ hits / (weights @ images),
            "patient_score": weights @ (hits / images) / weights.sum(axis=1),
        }

    values, draws = resample_measures(
        measure, scored.n_patients, scored.n_patients, evaluation.resamples, evaluation.seed
    )
    counts = scored.count_label_patients()
    fewest = int(counts[counts > 0].min())
    row: dict = {
        "images": len(part),
        "patients": scored.n_patients,
        "fewest": fewest,
        "note": TOO_FEW if fewest < MIN_PATIENTS else "",
    }
    for name in MEASURES:
        interval = summarise_draws(values[name], draws[name], evaluation.level, fewest)
        row |= {name: interval["value"], f"{name}_low": interval["low"], f"{name}_high": interval["high"]}
    return row


def _sort_key(level: str) -> tuple[int, str]:
    """Sort numbers by size and before words."""
    return (int(level), "") if level.isdigit() else (10**9, level)

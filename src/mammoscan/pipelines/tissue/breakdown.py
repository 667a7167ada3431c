"""The section that counts patients beside images, by magnification and tumour type."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mammoscan.evaluation.intervals import FEWEST_PATIENTS, TOO_FEW
from mammoscan.evaluation.patients import EVERYTHING, score_patients
from mammoscan.studies import EvaluationParams, Question

BY = ("magnification", "group")
NAMES = {"magnification": "Magnification", "group": "Type"}


def score_breakdown(
    predictions: pd.DataFrame, samples: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> pd.DataFrame:
    """Measure the network by image and by patient: over all, at each magnification and for each tumour type."""
    by = [name for name in BY if len(samples[name].unique()) > 1]
    return score_patients(predictions, samples, question, evaluation, by)


def describe_breakdown(
    scores: pd.DataFrame, samples: pd.DataFrame, predictions: pd.DataFrame, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Put the breakdown into words: a section of the report."""
    # A note that says nothing comes back from a file as a missing value.
    scores = scores.fillna({"note": ""})
    overall = scores.iloc[0]
    level = f"{100 * evaluation.level:.0f} %"
    paragraphs = [
        f"Image by image, {format_share(overall, 'image_accuracy')} of the answers are right. BreaKHis' own measure, "
        "the patient score, is the mean over patients of the share of a patient's images that are right: "
        f"{format_share(overall, 'patient_score')}. In brackets stand {level} intervals over patients.",
        _say_constant(samples, predictions),
    ]
    if overall["note"]:
        paragraphs.insert(
            0,
            f"The rarest label has {overall['fewest']} patients, fewer than {FEWEST_PATIENTS}: {TOO_FEW}. "
            "The figures below show that the software runs, and no more.",
        )
    elif (scores["note"] != "").any():
        paragraphs.append(
            f"Where a row rests on fewer than {FEWEST_PATIENTS} patients of a label, it says so."
        )
    rows = [
        [
            "All images"
            if row["by"] == EVERYTHING
            else f"{NAMES.get(row['by'], row['by'])} {_name_level(row['subgroup'])}",
            int(row["images"]),
            int(row["patients"]),
            format_share(row, "image_accuracy"),
            format_share(row, "patient_score"),
            row["note"],
        ]
        for row in scores.to_dict("records")
    ]
    table = {
        "caption": "Share of right answers at the stated threshold",
        "columns": ["", "Images", "Patients", "Right, by image", "Patient score", ""],
        "rows": rows,
    }
    return {
        "title": "Image by image, and patient by patient",
        "paragraphs": paragraphs,
        "tables": [table],
        "figures": [],
    }


def format_share(row: Any, name: str) -> str:
    """Return a share with its interval in percent."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return "not defined"
    if pd.isna(low) or pd.isna(high):
        return f"{100 * value:.1f} %"
    return f"{100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _say_constant(samples: pd.DataFrame, predictions: pd.DataFrame) -> str:
    """Say what always giving the most frequent answer would reach: accuracy means little without it."""
    tested = samples[samples["sample_id"].astype(str).isin(set(predictions["sample_id"].astype(str)))]
    frequent = str(tested["label"].value_counts().idxmax())
    right = tested["label"] == frequent
    by_patient = right.groupby(tested["patient_id"]).mean().mean()
    return (
        f"Whoever always answers {frequent} is right for {100 * right.mean():.1f} % of the images and has a patient "
        f"score of {100 * by_patient:.1f} %; within a single tumour type that answer is always right or always wrong."
    )


def _name_level(level: str) -> str:
    return f"{level}X" if level.isdigit() else level.replace("_", " ")

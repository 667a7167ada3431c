"""Accuracy by image and by patient."""

from __future__ import annotations

import pandas as pd
import pytest

from mammoscan.evaluation.patient_accuracy import score_patients
from mammoscan.params import EvaluationParams, Question

RIGHT = {"a": [1, 1, 1, 1, 1, 1], "b": [0, 0], "c": [1, 0]}
"""Whether each image of each patient was answered rightly."""


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = []
    for patient, answers in RIGHT.items():
        label = "malignant" if patient == "a" else "benign"
        for number, right in enumerate(answers):
            said = label if right else ("benign" if label == "malignant" else "malignant")
            rows.append(
                {
                    "model": "cnn",
                    "fold": 0,
                    "sample_id": f"{patient}{number}",
                    "patient_id": patient,
                    "label": label,
                    "p_benign": 0.9 if said == "benign" else 0.1,
                    "p_malignant": 0.1 if said == "benign" else 0.9,
                    "magnification": "40" if number % 2 else "100",
                }
            )
    table = pd.DataFrame(rows)
    return table.drop(columns="magnification"), table[["sample_id", "patient_id", "label", "magnification"]]


def test_images_count_alike_in_one_measure_and_patients_in_the_other(
    tables: tuple[pd.DataFrame, pd.DataFrame], question: Question, evaluation: EvaluationParams
) -> None:
    row = score_patients(*tables, question, evaluation).iloc[0]
    assert row["image_accuracy"] == pytest.approx(7 / 10)
    assert row["patient_score"] == pytest.approx((1 + 0 + 0.5) / 3)
    assert (row["images"], row["patients"], row["fewest"]) == (10, 3, 1)
    for name in ("image_accuracy", "patient_score"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_only_the_network_is_scored(
    tables: tuple[pd.DataFrame, pd.DataFrame], question: Question, evaluation: EvaluationParams
) -> None:
    predictions, samples = tables
    both = pd.concat([predictions, predictions.assign(model="texture", p_benign=1.0, p_malignant=0.0)])
    alone = score_patients(predictions, samples, question, evaluation)
    pd.testing.assert_frame_equal(score_patients(both, samples, question, evaluation), alone)


def test_subgroups_are_scored_by_themselves_and_sorted_as_numbers(
    tables: tuple[pd.DataFrame, pd.DataFrame], question: Question, evaluation: EvaluationParams
) -> None:
    scores = score_patients(*tables, question, evaluation, by=["magnification"])
    assert list(scores["subgroup"]) == ["all", "40", "100"]
    assert scores["images"].tolist() == [10, 5, 5]
    assert scores.loc[scores["subgroup"] == "40", "image_accuracy"].item() == pytest.approx(3 / 5)


def test_few_patients_are_said_to_be_too_few(
    tables: tuple[pd.DataFrame, pd.DataFrame], question: Question, evaluation: EvaluationParams
) -> None:
    predictions, samples = tables
    few = score_patients(predictions, samples, question, evaluation)
    assert few["note"].tolist() == ["too few patients to say anything"]
    names = [f"{name}{number}" for number in range(10) for name in predictions["sample_id"]]
    many = pd.concat(
        [predictions.assign(patient_id=predictions["patient_id"] + str(number)) for number in range(10)]
    ).assign(sample_id=names)
    enough = score_patients(many, many.assign(magnification="40"), question, evaluation)
    assert enough["note"].tolist() == [""]
    assert enough["fewest"].tolist() == [10]

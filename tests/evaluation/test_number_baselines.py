from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.number_baselines import predict_number_baselines
from mammoscan.params import EvaluationParams, TargetQuestion

AGE = TargetQuestion(kind="numbers", text="How old?", quantity="age")


@pytest.fixture(scope="module")
def problem() -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """The brighter, the older; the width says something too."""
    rng = np.random.default_rng(2)
    age = rng.uniform(40, 90, 48)
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(48)],
            "patient_id": [f"p{number // 2}" for number in range(48)],
            "label": "all",
            "target": age,
            "width": age * 3 + rng.normal(0, 30, 48),
        }
    )
    pixels = (rng.normal(0, 10, (48, 24, 24, 1)) + 2 * age[:, None, None, None]).clip(0, 255).astype(np.uint8)
    folds = samples[["sample_id"]].assign(row=range(48))
    for fold in range(2):
        folds[f"fold_{fold}"] = np.where(np.arange(48) // 2 % 2 == fold, "test", "train")
    return samples, pixels, folds


def test_every_image_is_predicted_once_by_each_model(problem) -> None:
    samples, pixels, folds = problem
    found = predict_number_baselines(
        samples, pixels, folds, AGE, EvaluationParams(metadata_columns=("width",))
    )
    assert set(found["model"]) == {"mean", "metadata", "texture"}
    assert (found.groupby("model")["sample_id"].nunique() == 48).all()
    errors = (found["prediction"] - found["target"]).abs().groupby(found["model"]).mean()
    assert errors["texture"] < errors["metadata"] < errors["mean"]
    first = found[(found["model"] == "mean") & (found["fold"] == 0)]
    training = samples["target"][folds["fold_0"] == "train"]
    assert first["prediction"].unique() == pytest.approx(training.mean())


def test_a_column_that_is_the_number_is_refused(problem) -> None:
    samples, pixels, folds = problem
    leaking = samples.assign(days=samples["target"] * 365)
    with pytest.raises(MammoscanError, match="days is the number that is predicted"):
        predict_number_baselines(leaking, pixels, folds, AGE, EvaluationParams(metadata_columns=("days",)))

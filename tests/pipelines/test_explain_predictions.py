"""The predictions that the report shows are explained by the models that made them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mammoscan.figures.error_gallery import MAX_PER_CELL
from mammoscan.inference.gradcam import explain_images
from mammoscan.params import EvaluationParams, Question, Recipe, ViewParams
from mammoscan.pipelines.reporting.nodes import explain_errors, gather_explanations


@pytest.fixture
def predictions(samples: pd.DataFrame) -> pd.DataFrame:
    """All right but three: one of fold 0, two of fold 1; a baseline is wrong everywhere."""
    wrong = samples.index.isin([4, 9, 30])
    says = np.where(wrong, 1 - samples["target"], samples["target"])
    network = samples[["sample_id", "patient_id", "label", "target"]].assign(
        model="cnn",
        fold=(samples.index > 8).astype(int),
        p_benign=0.9 - 0.8 * says,
        p_malignant=0.1 + 0.8 * says,
    )
    baseline = network.assign(
        model="texture", p_benign=1.0 * samples["target"], p_malignant=1.0 - samples["target"]
    )
    return pd.concat([network, baseline], ignore_index=True)


def test_each_cell_is_explained_by_the_models_of_the_folds(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    recipe: Recipe,
) -> None:
    import keras

    from mammoscan.models.registry import build_network

    models = [build_network("small_cnn", (16, 16, 1), 2, seed=seed) for seed in (1, 2)]
    network = predictions[predictions["model"] == "cnn"]
    words: Any = (question, evaluation, recipe, ViewParams())
    tables = [
        explain_errors(model, samples, pixels, network[network["fold"] == fold], *words)
        for fold, model in enumerate(models)
    ]
    explained = gather_explanations(network, question, evaluation, *tables)
    truths = samples.set_index("sample_id")["label"]
    wrong = explained[explained["said"].to_numpy() != truths[explained["sample_id"]].to_numpy()]
    assert sorted(wrong["sample_id"]) == [samples["sample_id"][row] for row in (4, 9, 30)]
    assert len(explained) == 3 + 2 * MAX_PER_CELL
    for row in explained.to_dict("records")[::5]:
        heat = np.frombuffer(row["heat"], np.uint8).reshape(16, 16)
        [position] = np.flatnonzero(samples["sample_id"] == row["sample_id"])
        label = question.labels.index(row["said"])
        [expected] = explain_images(
            models[row["fold"]], pixels[[position]], [label], scale=recipe.scale, views=True
        )
        np.testing.assert_allclose(heat / 255, expected, atol=0.003)

    flat = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    explained = explain_errors(flat, samples, pixels, network, *words)
    assert list(explained.columns) == ["sample_id", "fold", "said", "heat"]
    assert explained.empty
    assert gather_explanations(network, question, evaluation, explained).empty

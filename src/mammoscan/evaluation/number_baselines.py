"""What simple models reach where a number or a level is predicted, under the same folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.metadata_features import build_features, reject_label_leaks
from mammoscan.evaluation.splits import split_folds
from mammoscan.evaluation.texture_features import describe_textures
from mammoscan.params import EvaluationParams, TargetQuestion

STRENGTHS = tuple(10.0**power for power in range(-2, 5))
INNER_FOLDS = 3


def predict_number_baselines(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: TargetQuestion,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Predict each fold's test side by three simple models trained on its training and validation sides.

    ``mean`` says the training side's mean to every image; ``metadata`` is a ridge regression on
    ``evaluation.metadata_columns``, ``texture`` one on hand-made features of the pixels. Inner folds of training
    patients choose the strength of the penalty.

    Returns:
        ``model``, ``fold``, ``sample_id``, ``patient_id``, ``target`` and ``prediction``.
    """
    parts = split_folds(folds)
    used = np.unique(np.concatenate([rows["row"].to_numpy() for rows in parts.values()]))
    known = samples.iloc[used].reset_index(drop=True)
    columns = evaluation.metadata_columns
    reject_label_leaks(known, columns, question)
    target = known["target"].to_numpy(dtype=float)
    _reject_copies(known, columns, target)
    patients = pd.factorize(known["patient_id"].astype(str), sort=True)[0]
    texture = describe_textures(pixels, used)
    tables: dict[str, list[pd.DataFrame]] = {"mean": [], "metadata": [], "texture": []}
    for name, rows in parts.items():
        places, testing = np.searchsorted(used, rows["row"].to_numpy()), (rows["role"] == "test").to_numpy()
        test, training = places[testing], np.zeros(len(used), dtype=bool)
        training[places[~testing]] = True
        answers = {"mean": np.full(len(test), target[training].mean())}
        features = {"texture": texture}
        if columns:
            features["metadata"] = build_features(known, columns, training)
        for model, values in features.items():
            fitted = _fit_ridge(values[training], target[training], patients[training])
            answers[model] = fitted.predict(values[test])
        table = known.iloc[test][["sample_id", "patient_id", "target"]].astype(
            {"sample_id": str, "patient_id": str}
        )
        for model, found in answers.items():
            tables[model].append(
                table.assign(model=model, fold=int(name.removeprefix("fold_")), prediction=found)
            )
    order = ["model", "fold", "sample_id", "patient_id", "target", "prediction"]
    return pd.concat([table for model in tables.values() for table in model], ignore_index=True)[order]


def _reject_copies(samples: pd.DataFrame, columns: tuple[str, ...], target: np.ndarray) -> None:
    """Refuse a metadata column that is the number itself, in another unit at most."""
    for column in columns:
        values = pd.to_numeric(samples[column], errors="coerce").to_numpy(dtype=float)
        if not np.isfinite(values).all() or values.std() == 0 or target.std() == 0:
            continue
        if abs(np.corrcoef(values, target)[0, 1]) > 1 - 1e-9:
            raise MammoscanError(
                f"metadata_columns: {column} is the number that is predicted, expected columns known before the "
                "answer; take it out of evaluation.metadata_columns"
            )


def _fit_ridge(values: np.ndarray, target: np.ndarray, patients: np.ndarray) -> Any:
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    inner = min(INNER_FOLDS, len(np.unique(patients)))
    divisions = list(GroupKFold(inner).split(values, target, patients)) if inner > 1 else None
    with threadpool_limits(limits=1):
        return make_pipeline(StandardScaler(), RidgeCV(STRENGTHS, cv=divisions)).fit(values, target)

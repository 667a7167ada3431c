"""What simple models reach under the same folds: a network has to beat them before its number counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation.metadata_features import build_features, reject_label_leaks
from mammoscan.evaluation.splits import split_folds
from mammoscan.evaluation.texture_features import describe_textures
from mammoscan.params import EvaluationParams, Question

STRENGTHS = (1e-5, 1e-4, 1e-3, 0.01, 0.1, 1.0)
USUAL_STRENGTH = 0.1
TREES, MIN_LEAF = 100, 5
INNER_FOLDS = 3
# With so many samples the strength of the penalty hardly matters, and choosing it would take long.
MANY_SAMPLES = 10_000


def predict_baselines(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Predict each fold's test side by three simple models trained on its training and validation sides.

    ``majority`` gives every sample the training side's frequencies; ``metadata`` learns from
    ``evaluation.metadata_columns``, ``texture`` from hand-made features of the pixels at three scales. Both are a
    logistic regression or an ensemble of trees, whichever has the lower log loss in inner folds of training patients.

    Args:
        samples: One row a sample.
        pixels: The images, uint8 ``[N, H, W, C]``, in the same order.
        folds: The table of folds.
        question: The labels.
        evaluation: The metadata columns (none: that model is left out) and the seed.

    Returns:
        Predictions: ``model``, ``fold``, ``sample_id``, ``patient_id``, ``label``, ``target``, ``p_<label>``.

    Raises:
        MammoscanError: If a metadata column defines the label.
    """
    parts = split_folds(folds)
    used = np.unique(np.concatenate([rows["row"].to_numpy() for rows in parts.values()]))
    known = samples.iloc[used].reset_index(drop=True)
    columns = evaluation.metadata_columns
    reject_label_leaks(known, columns, question)
    target = pd.Categorical(known["label"].astype(str), categories=list(question.labels)).codes.astype(int)
    patients = pd.factorize(known["patient_id"].astype(str), sort=True)[0]
    texture = describe_textures(pixels, used, apart="scales" in samples)
    tables: dict[str, list[pd.DataFrame]] = {"majority": [], "metadata": [], "texture": []}
    for name, rows in parts.items():
        places = np.searchsorted(used, rows["row"].to_numpy())
        testing = (rows["role"] == "test").to_numpy()
        test = places[testing]
        training = np.zeros(len(used), dtype=bool)
        training[places[~testing]] = True
        answers = {"majority": _predict_frequencies(target[training], len(question.labels), len(test))}
        features = {"texture": texture}
        if columns:
            features["metadata"] = build_features(known, columns, training)
        for model, values in features.items():
            fitted = _fit_model(values[training], target[training], patients[training], evaluation.seed)
            answers[model] = _predict_labels(fitted, values[test], len(question.labels))
        fold = int(name.removeprefix("fold_"))
        for model, probabilities in answers.items():
            tables[model].append(
                _tabulate_answers(model, fold, known.iloc[test], target[test], probabilities, question)
            )
    return pd.concat([table for model in tables.values() for table in model], ignore_index=True)


def _predict_frequencies(target: np.ndarray, labels: int, count: int) -> np.ndarray:
    return np.tile(np.bincount(target, minlength=labels) / len(target), (count, 1))


def _fit_model(values: np.ndarray, target: np.ndarray, patients: np.ndarray, seed: int) -> Any:
    """Fit the regression or the trees; inner folds of patients choose between them and the penalty's strength."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    # A solver's steps are too small to share: BLAS threads that wait for each other made a fit fifteen times as long.
    @threadpool_limits.wrap(limits=1)
    def fit(strength: float | None, rows: np.ndarray) -> Any:
        if strength is None:
            model = ExtraTreesClassifier(TREES, min_samples_leaf=MIN_LEAF, random_state=seed, n_jobs=1)
        else:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        return model.fit(values[rows], target[rows])

    everything = np.arange(len(target))
    kinds = np.unique(target)
    scarce = min(len(np.unique(patients[target == kind])) for kind in kinds) < INNER_FOLDS
    if scarce or len(target) > MANY_SAMPLES:
        return fit(USUAL_STRENGTH, everything)
    inner = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    divisions = [
        (learn, check)
        for learn, check in inner.split(values, target, patients)
        if len(np.unique(target[learn])) == len(kinds)
    ]
    candidates = (*STRENGTHS, None)
    losses = [
        sum(
            log_loss(target[check], fit(c, learn).predict_proba(values[check]), labels=kinds)
            for learn, check in divisions
        )
        for c in candidates
    ]
    return fit(candidates[int(np.argmin(losses))], everything)


def _predict_labels(model: Any, values: np.ndarray, labels: int) -> np.ndarray:
    probabilities = np.zeros((len(values), labels))
    probabilities[:, model.classes_] = model.predict_proba(values)
    return probabilities


def _tabulate_answers(
    model: str,
    fold: int,
    samples: pd.DataFrame,
    target: np.ndarray,
    probabilities: np.ndarray,
    question: Question,
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "model": model,
            "fold": fold,
            "sample_id": samples["sample_id"].astype(str).to_numpy(),
            "patient_id": samples["patient_id"].astype(str).to_numpy(),
            "label": samples["label"].astype(str).to_numpy(),
            "target": target,
        }
    )
    for index, label in enumerate(question.labels):
        table[f"p_{label}"] = probabilities[:, index]
    return table

"""Predictions of one model as checked arrays: what every measure starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import Question

MAIN_MODEL = "cnn"


@dataclass(frozen=True)
class Scored:
    """One model's predictions.

    Attributes:
        labels: The labels, in the order of the columns of ``probabilities``.
        positive: Index of the label whose recall matters.
        probabilities: ``[N, labels]``.
        truth: Index of each sample's label.
        patients: Number of each sample's patient, 0 to ``n_patients - 1``.
        n_patients: How many patients there are.
        folds: The fold whose model predicted each sample.
    """

    labels: tuple[str, ...]
    positive: int
    probabilities: np.ndarray
    truth: np.ndarray
    patients: np.ndarray
    n_patients: int
    folds: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Probability of the positive label."""
        return self.probabilities[:, self.positive]

    @property
    def is_positive(self) -> np.ndarray:
        """Whether each sample has the positive label."""
        return self.truth == self.positive

    def decide_labels(self, threshold: float) -> np.ndarray:
        """Decide for a label: by the threshold where there are two, else for the most probable."""
        if len(self.labels) > 2:
            return self.probabilities.argmax(axis=1)
        return np.where(self.score >= threshold, self.positive, 1 - self.positive)

    def count_folds(self) -> int:
        """Count the networks that made the predictions."""
        return len(np.unique(self.folds))

    def select(self, rows: np.ndarray) -> Scored:
        """Return some of the rows; the patients keep their numbers."""
        arrays = {name: getattr(self, name)[rows] for name in ("probabilities", "truth", "patients", "folds")}
        return replace(self, **arrays)

    def count_label_patients(self) -> np.ndarray:
        """Count the patients that have a sample of each label."""
        return np.array([len(np.unique(self.patients[self.truth == k])) for k in range(len(self.labels))])


def list_models(predictions: pd.DataFrame) -> list[str]:
    """List the models of a table of predictions, the trained network first.

    Args:
        predictions: The table.

    Returns:
        Names in order of appearance, ``cnn`` before all others.
    """
    names = [str(name) for name in predictions["model"].unique()]
    return sorted(names, key=lambda name: name != MAIN_MODEL)


def read_scored(predictions: pd.DataFrame, question: Question, model: str | None = None) -> Scored:
    """Check one model's predictions and turn them into arrays.

    Args:
        predictions: ``model``, ``fold``, ``sample_id``, ``patient_id``, ``label``, ``p_<label>`` for each
            label.
        question: The labels and the positive one.
        model: Name of the model; None means the trained network, or the first one where there is no such.

    Returns:
        The arrays.

    Raises:
        MammoscanError: If a column, a model or a label is unknown or a probability is not one.
    """
    columns = [f"p_{label}" for label in question.labels]
    missing = [
        c for c in ("model", "sample_id", "patient_id", "label", *columns) if c not in predictions.columns
    ]
    if missing:
        raise MammoscanError(f"predictions: no column {missing[0]}, found {list(predictions.columns)}")
    names = list_models(predictions)
    if model is None and names:
        model = names[0]
    if model not in names:
        raise MammoscanError(f"predictions: no rows of model {model!r}, found {names}")
    rows = predictions[predictions["model"] == model]
    unknown = sorted(set(rows["label"].astype(str)) - set(question.labels))
    if unknown:
        raise MammoscanError(
            f"predictions: {model} holds label {unknown[0]!r}, expected one of {list(question.labels)}"
        )
    probabilities = rows[columns].to_numpy(dtype=float)
    bad = ~np.isfinite(probabilities).all(axis=1) | (np.abs(probabilities.sum(axis=1) - 1) > 1e-3)
    if bad.any():
        found = probabilities[bad][0].tolist()
        raise MammoscanError(
            f"predictions: {model} gives {rows.loc[bad, 'sample_id'].iloc[0]} the probabilities {found}, "
            "expected finite numbers that sum to 1"
        )
    codes, patients = pd.factorize(rows["patient_id"].astype(str), sort=True)
    truth = pd.Categorical(rows["label"].astype(str), categories=list(question.labels)).codes
    folds = rows["fold"].to_numpy() if "fold" in rows.columns else np.zeros(len(rows), dtype=int)
    return Scored(
        labels=tuple(question.labels),
        positive=question.labels.index(question.positive),
        probabilities=probabilities,
        truth=truth.astype(int),
        patients=codes,
        n_patients=len(patients),
        folds=folds,
    )

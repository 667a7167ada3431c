"""Metadata columns as features of the baseline, and the rejection of columns that leak the label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import Question, TargetQuestion

LEAKING = ("label", "target", "severity", "sample_id", "patient_id", "region_id", "source")
# Where normal is one of the labels, the abnormality class gives the label away.
LEAKING_WITH_NORMAL = ("group",)
MAX_LEVELS = 20
MIN_PATIENTS = 10


def reject_label_leaks(
    samples: pd.DataFrame, columns: Sequence[str], question: Question | TargetQuestion
) -> None:
    """Reject columns that leak the label, by name or because each of their few values has one label only.

    Args:
        samples: The samples in use.
        columns: The metadata columns of the baseline.
        question: The question, whose labels must not be among the features.

    Raises:
        MammoscanError: If a column is missing, defines the label or identifies the sample.
    """
    named = LEAKING + (LEAKING_WITH_NORMAL if question.about != "severity" else ())
    for column in columns:
        if column in named:
            raise MammoscanError(
                f"metadata_columns: {column} defines the label or identifies the sample, expected columns known "
                "before the answer; take it out of evaluation.metadata_columns"
            )
        if column not in samples.columns:
            raise MammoscanError(
                f"metadata_columns: no column {column} in the samples, expected some of "
                f"{list(samples.columns)}"
            )
        for values, what in (
            (samples[column], "its values"),
            (samples[column].isna(), "whether it is missing"),
        ):
            if _predicts_label(values, samples):
                raise MammoscanError(
                    f"metadata_columns: {column} defines the label ({what} alone predict it for all "
                    f"{len(samples)} samples), expected columns that do not; take it out of "
                    "evaluation.metadata_columns"
                )


def build_features(samples: pd.DataFrame, columns: Sequence[str], training: np.ndarray) -> np.ndarray:
    """Encode columns as numbers, fitted on the training side only.

    Args:
        samples: The samples.
        columns: Numeric ones are kept (the median where missing, with a column that says so), others are one-hot
            encoded.
        training: True for the training samples.

    Returns:
        float ``[N, features]``, not scaled.
    """
    features = []
    for column in columns:
        values = samples[column]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            known = numbers[training][np.isfinite(numbers[training])]
            missing = ~np.isfinite(numbers)
            features += [
                np.where(missing, np.median(known) if len(known) else 0.0, numbers),
                missing.astype(float),
            ]
        else:
            text = values.astype(object).where(values.notna(), "missing").astype(str).to_numpy()
            features += [(text == level).astype(float) for level in sorted(set(text[training]))]
    return np.stack(features, axis=1)


def _predicts_label(values: pd.Series, samples: pd.DataFrame) -> bool:
    levels = values.astype(object).where(values.notna(), "missing").astype(str)
    if not 1 < levels.nunique() <= MAX_LEVELS or samples["patient_id"].nunique() < MIN_PATIENTS:
        return False
    # One rare value may meet a single label by chance; all values, each with some samples, cannot.
    counts = pd.crosstab(levels.to_numpy(), samples["label"].to_numpy())
    return bool(((counts > 0).sum(axis=1) == 1).all() and (counts.sum(axis=1) > 1).all())

"""The columns of a table as features, and the refusal of those that define the label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.params import Question

DEFINING = ("label", "target", "severity", "sample_id", "patient_id", "region_id", "source")
# Where normal is one of the answers, the abnormality class is part of the label.
DEFINING_NORMAL = ("group",)
FEW_LEVELS = 20
ENOUGH_PATIENTS = 10


def refuse_defining(samples: pd.DataFrame, columns: Sequence[str], question: Question) -> None:
    """Refuse columns that define the label, by name or because each of their few values has one label only.

    Args:
        samples: The samples in use.
        columns: The columns that were asked for.
        question: What is asked.

    Raises:
        MammoscanError: If a column is not there, defines the label or tells one sample from all others.
    """
    named = DEFINING + (DEFINING_NORMAL if question.about != "severity" else ())
    for column in columns:
        if column in named:
            raise MammoscanError(
                f"metadata_columns: {column} defines the label or names the sample, expected columns known "
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
            if _tells_label(values, samples):
                raise MammoscanError(
                    f"metadata_columns: {column} defines the label ({what} alone tell it for all "
                    f"{len(samples)} samples), expected columns that do not; take it out of "
                    "evaluation.metadata_columns"
                )


def build_features(samples: pd.DataFrame, columns: Sequence[str], training: np.ndarray) -> np.ndarray:
    """Turn columns into numbers, knowing only the training side.

    Args:
        samples: The samples.
        columns: Numeric ones are kept (median where missing, which is told too), others become one column a
            value.
        training: Which samples are training.

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


def _tells_label(values: pd.Series, samples: pd.DataFrame) -> bool:
    levels = values.astype(object).where(values.notna(), "missing").astype(str)
    if not 1 < levels.nunique() <= FEW_LEVELS or samples["patient_id"].nunique() < ENOUGH_PATIENTS:
        return False
    # A rare value can meet one label only by chance; all of them together cannot where each has some samples.
    counts = pd.crosstab(levels.to_numpy(), samples["label"].to_numpy())
    return bool(((counts > 0).sum(axis=1) == 1).all() and (counts.sum(axis=1) > 1).all())

from __future__ import annotations

import numpy as np
import pandas as pd

from mammoscan.evaluation import baselines
from mammoscan.studies import EvaluationParams, Question


def predict_baselines(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Predict the same test sides without a network: by the majority, by the metadata alone, by simple texture."""
    return baselines.predict_baselines(samples, pixels, folds, question, evaluation)


def pool_predictions(*tables: pd.DataFrame) -> pd.DataFrame:
    """Put predictions together: every sample was predicted by a model that never saw its patient.

    In an article's own protocol that holds only as far as its split does.
    """
    return pd.concat(tables, ignore_index=True)

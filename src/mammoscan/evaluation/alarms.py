"""How often familiar images raise a false alarm, and how often altered ones are noticed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mammoscan.evaluation.intervals import resample_measures, summarise_draws
from mammoscan.evaluation.weighing import divide
from mammoscan.studies import EvaluationParams

AS_IS = "as it is"


def measure_alarms(table: pd.DataFrame, evaluation: EvaluationParams) -> dict[str, dict]:
    """Measure the share of images that were called strange.

    Args:
        table: A row an image: ``patient_id``, ``shown`` (``as it is`` or how it was altered) and ``strange``.
        evaluation: Resamples, level and seed.

    Returns:
        For each way of showing the share with its interval over patients, and ``samples``.
    """
    result = {}
    for shown, rows in table.groupby("shown", sort=False):
        codes, patients = pd.factorize(rows["patient_id"].astype(str), sort=True)
        strange = np.bincount(codes, rows["strange"].astype(float), minlength=len(patients))
        counts = np.bincount(codes, minlength=len(patients)).astype(float)

        def measure(
            weights: np.ndarray, strange: np.ndarray = strange, counts: np.ndarray = counts
        ) -> dict[str, np.ndarray]:
            return {"share": divide(weights @ strange, weights @ counts)}

        values, draws = resample_measures(
            measure, len(patients), len(rows), evaluation.resamples, evaluation.seed
        )
        summary = summarise_draws(values["share"], draws["share"], evaluation.level, len(patients))
        result[str(shown)] = summary | {"samples": len(rows)}
    return result

"""Nodes that test the final model, as it is shipped, on patients that had no part in anything before."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.evaluation import baselines, leak_audit, metrics
from mammoscan.evaluation.calibration import apply_temperature, measure_calibration
from mammoscan.evaluation.operating_point import measure_operation
from mammoscan.evaluation.predictions import MAIN_MODEL, read_scored
from mammoscan.evaluation.splits import find_lockbox_rows, find_used_rows
from mammoscan.figures.style import STAMPS
from mammoscan.inference.predict import predict_probabilities
from mammoscan.params import EvaluationParams, MachineParams, Question, Recipe, ViewParams
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.run_info import RunInfo
from mammoscan.reporting import verdicts
from mammoscan.reporting.render import name_measure, render_page, say

logger = logging.getLogger("mammoscan")
HEADLINE = "auc"
DIGITS = 16


def open_lockbox(
    model: Any,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    views: ViewParams,
    machine: MachineParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the lockbox by the final model, and by the baselines fitted on all other patients.

    Returns:
        ``predictions``: one row per sample of the lockbox and model, not calibrated; and ``folds``: a single split
        with the lockbox as test side and all that the final model learned from as training side.
    """
    locked, learned = find_lockbox_rows(folds), find_used_rows(folds)
    if not len(locked):
        raise MammoscanError(
            "split.lockbox is 0: no patient was set aside, so there is no lockbox to open; run the study with a "
            "lockbox first, e.g. --params <study>.split.lockbox=0.2"
        )
    roles = pd.Series("out", index=range(len(samples)), dtype=object)
    roles[learned], roles[locked] = "train", "test"
    split = pd.DataFrame(
        {
            "sample_id": samples["sample_id"].astype(str).to_numpy(),
            "row": range(len(samples)),
            "fold_0": roles,
        }
    )
    probabilities = predict_probabilities(
        model, pixels, locked, recipe=training, views=views, machine=machine
    )
    table = samples.iloc[locked][["sample_id", "patient_id", "label", "target"]].reset_index(drop=True)
    table.insert(0, "model", MAIN_MODEL)
    table.insert(1, "fold", 0)
    for index, label in enumerate(question.labels):
        table[f"p_{label}"] = probabilities[:, index]
    simple = baselines.predict_baselines(samples, pixels, split, question, evaluation)
    return pd.concat([table, simple], ignore_index=True), split


def record_opening(model: Any, predictions: pd.DataFrame, run_info: RunInfo) -> dict[str, Any]:
    """Write down that the lockbox was opened, before anything is measured on it."""
    rows = predictions[predictions["model"] == MAIN_MODEL]
    weights = hashlib.sha256()
    for values in model.get_weights():
        weights.update(np.ascontiguousarray(values).tobytes())
    patients = sorted(set(rows["patient_id"].astype(str)))
    return {
        "opened": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "run_id": run_info.run_id or "",
        "commit": run_info.commit or "",
        "model": weights.hexdigest()[:DIGITS],
        "patients": len(patients),
        "samples": len(rows),
        "lockbox": hashlib.sha256("\n".join(patients).encode()).hexdigest()[:DIGITS],
    }


def audit_lockbox(
    record: DatasetRecord, samples: pd.DataFrame, pixels: np.ndarray, split: pd.DataFrame
) -> dict[str, Any]:
    """Count how much of the lockbox the final model has seen."""
    return leak_audit.audit_leaks(samples, pixels, split, patients_known=record.patients_known)


def measure_lockbox(
    predictions: pd.DataFrame,
    trust: dict[str, Any],
    openings: list[dict[str, Any]],
    question: Question,
    evaluation: EvaluationParams,
) -> dict[str, Any]:
    """Measure the final model on the lockbox, with the temperature and the threshold that go with it.

    Returns:
        ``opening`` (1 for the first), ``temperature``, ``threshold``, ``models`` (the measures of network and
        baselines), ``operation`` at the threshold (empty with more than two labels) and ``calibration``.
    """
    columns = [f"p_{label}" for label in question.labels]
    main = predictions["model"] == MAIN_MODEL
    calibrated = predictions.copy()
    values = apply_temperature(predictions.loc[main, columns].to_numpy(dtype=float), trust["temperature"])
    calibrated.loc[main, columns] = values
    threshold = trust["threshold"]
    operation: dict[str, Any] = {}
    if threshold is not None:
        scored = read_scored(calibrated, question, MAIN_MODEL)
        operation = measure_operation(scored, scored.score >= threshold, evaluation)
    return {
        "opening": len(openings),
        "temperature": trust["temperature"],
        "threshold": threshold,
        "models": metrics.measure_predictions(calibrated, question, evaluation),
        "operation": operation,
        "calibration": measure_calibration(calibrated[main], question, evaluation)[MAIN_MODEL],
    }


def write_lockbox_report(
    record: DatasetRecord,
    run_info: RunInfo,
    found: dict[str, Any],
    audit: dict[str, Any],
    openings: list[dict[str, Any]],
    cross_validated: dict[str, Any],
    question: Question,
    evaluation: EvaluationParams,
) -> str:
    """Write what the lockbox says of the final model, beside what the folds had promised."""
    measure = found["models"][MAIN_MODEL][HEADLINE]
    tone = verdicts.find_tone(
        measure, verdicts.find_chance(found["models"], HEADLINE), verdicts.find_leak(audit)
    )
    logger.info(
        "lockbox, opening %d: AUC %.2f on %d %s of %d patients; the folds had promised %.2f",
        len(openings),
        measure["value"],
        found["models"][MAIN_MODEL]["samples"],
        question.unit,
        found["models"][MAIN_MODEL]["patients"],
        cross_validated[MAIN_MODEL][HEADLINE]["value"],
    )
    shown = [key for key in ("auc", "average_precision", "brier") if key in found["models"][MAIN_MODEL]]
    return render_page(
        "lockbox.html.j2",
        title=question.title,
        banner=(STAMPS.get(record.kind, ""), say("banner", record.kind)),
        unit=question.unit,
        positive=question.positive,
        level=evaluation.level,
        measure=measure,
        patients=found["models"][MAIN_MODEL]["patients"],
        samples=found["models"][MAIN_MODEL]["samples"],
        verdict=say("verdict", tone, measure, verdicts.find_chance(found["models"], HEADLINE)),
        rows=[
            {
                "name": name_measure(key),
                "here": found["models"][MAIN_MODEL][key],
                "promised": cross_validated[MAIN_MODEL].get(key) or {},
            }
            for key in shown
        ],
        baselines=[
            {
                "name": name,
                "here": values[HEADLINE],
                "promised": (cross_validated.get(name) or {}).get(HEADLINE) or {},
            }
            for name, values in found["models"].items()
            if name not in (MAIN_MODEL, "majority")
        ],
        operation=found["operation"],
        temperature=found["temperature"],
        threshold=found["threshold"],
        calibration=found["calibration"],
        audit=audit["sentence"],
        openings=openings,
        commit=run_info.commit or "",
        run_id=run_info.run_id or "",
    )

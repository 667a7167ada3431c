"""Nodes that write the model's card from the run: nothing in it is typed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation.alarms import AS_IS
from mammoscan.evaluation.scored import MAIN_MODEL
from mammoscan.pipelines.reporting.writing import find_protocol
from mammoscan.pipelines.trust.sections import say_rule
from mammoscan.reporting.card_metadata import build_metadata
from mammoscan.reporting.model_card import choose_notice, write_markdown
from mammoscan.sources.mias_rois import SCAN_SIDE
from mammoscan.studies import (
    CropParams,
    EvaluationParams,
    PackParams,
    Question,
    Recipe,
    ScanGridParams,
    ViewParams,
)

HEADLINE = "auc"


def describe_windows(crop: CropParams, grid: ScanGridParams) -> dict[str, Any]:
    """Say what the network takes of a scan: a window of its standardised grid, or the square of a radius."""
    return {
        "kind": crop.kind,
        "size": crop.size,
        "grid": grid.model_dump(mode="json"),
        "scan_side": SCAN_SIDE,
    }


def describe_images(pack: PackParams) -> dict[str, Any]:
    """Say what the network takes of an image file: the whole of it, stretched."""
    return {"kind": "image", "size": list(pack.size), "channels": pack.channels}


def write_card(
    record: dict[str, Any],
    run_info: dict[str, Any],
    how: dict[str, Any],
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    metrics: dict[str, Any],
    histories: dict[str, Any],
    final: dict[str, Any],
    trust: dict[str, Any],
    subgroups: pd.DataFrame,
) -> dict[str, Any]:
    """Gather all that a user of the final model must know.

    Returns:
        The card: what the packaged model needs to answer, and what must be known of its answers.
    """
    card = _describe(
        record, run_info, how, samples, pixels, question, training, views, evaluation, metrics, histories
    )
    chosen = subgroups[(subgroups["model"] == MAIN_MODEL) & (subgroups["metric"] == HEADLINE)]
    columns = ["by", "subgroup", "samples", "patients", "value", "low", "high", "note"]
    rows = chosen[columns].astype(object).where(chosen[columns].notna(), None).to_dict("records")
    sides, alarms = trust["calibration"], trust["alarms"]
    return card | {
        "threshold": evaluation.cut if trust["threshold"] is None else trust["threshold"],
        "threshold_rule": say_rule(trust, question.positive),
        "temperature": trust["temperature"],
        "calibration": {side: {key: sides[side][key] for key in ("brier", "ece")} for side in sides},
        "operation": trust["operation"],
        "prevalence": trust["prevalence"],
        "epochs": len(final["epochs"]),
        "subgroups": rows,
        "ood": {
            "familiar_share": trust["familiar_share"],
            "false_alarms": alarms[AS_IS],
            "noticed": {shown: value for shown, value in alarms.items() if shown != AS_IS},
        },
    }


def write_author_card(
    record: dict[str, Any],
    run_info: dict[str, Any],
    how: dict[str, Any],
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    metrics: dict[str, Any],
    histories: dict[str, Any],
) -> dict[str, Any]:
    """Gather what is known of the model of an article's own procedure: nothing that would hold on new patients."""
    card = _describe(
        record, run_info, how, samples, pixels, question, training, views, evaluation, metrics, histories
    )
    return card | {"threshold_rule": f"fixed at {evaluation.cut:g}", "subgroups": [], "ood": None}


def write_model_card(card: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Write the card for people, and for machines in the style of a MONAI bundle's metadata."""
    return write_markdown(card), build_metadata(card)


def _describe(
    record: dict[str, Any],
    run_info: dict[str, Any],
    how: dict[str, Any],
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    training: Recipe,
    views: ViewParams,
    evaluation: EvaluationParams,
    metrics: dict[str, Any],
    histories: dict[str, Any],
) -> dict[str, Any]:
    study = run_info["pipeline"]
    return {
        "study": study,
        "title": question.title,
        "question": question.text,
        "unit": question.unit,
        "protocol": find_protocol(study),
        "data": record["kind"],
        "dataset": record["dataset"],
        "data_fingerprint": record["fingerprint"],
        "citation": record["citation"],
        "licence": record["licence"],
        "address": record["address"],
        "limits": record["limits"],
        "labels": list(question.labels),
        "positive": question.positive,
        "samples": len(samples),
        "patients": int(samples["patient_id"].nunique()),
        "label_samples": {label: int((samples["label"] == label).sum()) for label in question.labels},
        "threshold": evaluation.cut,
        "temperature": 1.0,
        "level": evaluation.level,
        "training": training.model_dump(mode="json"),
        "views": views.model_dump(mode="json"),
        "input": how,
        "shape": [int(side) for side in pixels.shape[1:]],
        "folds": histories["folds"],
        "best_epochs": histories["best_epochs"],
        "parameters": histories["parameters"],
        "metrics": metrics[MAIN_MODEL],
        "baselines": {name: values[HEADLINE] for name, values in metrics.items() if name != MAIN_MODEL},
        "notice": choose_notice(record["kind"], find_protocol(study)),
        "run_id": run_info["run_id"] or "",
        "commit": run_info["commit"] or "",
        "command": run_info["command"] or f"kedro run --pipeline {study}",
        "python": run_info["python"],
        "versions": run_info["versions"],
    }

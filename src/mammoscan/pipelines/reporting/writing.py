"""Nodes that put results into words: the page that can be mailed."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd

from mammoscan.evaluation.compare import compare_predictions
from mammoscan.reporting.build_report import build_report
from mammoscan.reporting.content import ReportContent, Section
from mammoscan.reporting.words import find_best_baseline, say_worth
from mammoscan.studies import STUDIES, EvaluationParams, Question, Recipe, ViewParams

logger = logging.getLogger("mammoscan")

HEADLINE = "auc"


def write_report(
    record: dict[str, Any],
    run_info: dict[str, Any],
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    predictions: pd.DataFrame,
    metrics: dict[str, Any],
    leak_audit: dict[str, Any],
    class_counts: pd.DataFrame,
    rejected: pd.DataFrame,
    classification: dict[str, Any],
    histories: dict[str, Any],
    calibration: dict[str, Any],
    subgroups: pd.DataFrame,
    views: ViewParams,
    **parts: Any,
) -> str:
    """Put a study's results on one self-contained HTML page.

    ``parts`` are the page's figures and the study's own sections, by the names of their entries.
    """
    if not views.used:
        parts.pop("views_figure", None)
    content = describe_study(
        record,
        run_info,
        question,
        evaluation,
        training,
        metrics,
        leak_audit,
        class_counts,
        rejected,
        histories,
    )
    best = find_best_baseline(metrics, HEADLINE)
    difference = None
    if best is not None:
        network, baseline = (predictions[predictions["model"] == name] for name in ("cnn", best[0]))
        difference = compare_predictions(network, baseline, question, evaluation)
    announce(question, metrics)
    return build_report(
        ReportContent(
            **content,
            classification=classification,
            difference=difference,
            calibration=calibration,
            subgroups=subgroups,
            worth=say_worth(leak_audit, metrics["cnn"][HEADLINE], None)
            if content["protocol"] == "author"
            else "",
            **sort_parts(parts),
        )
    )


def sort_parts(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the figures and sections of a report under their bare names, e.g. ``roc`` for ``roc_figure``."""
    return {
        "figures": {
            name.removesuffix("_figure"): part for name, part in parts.items() if name.endswith("_figure")
        },
        "sections": [
            Section.read(name.removesuffix("_section"), part)
            for name, part in parts.items()
            if name.endswith("_section")
        ],
    }


def find_protocol(study: str) -> Literal["patient", "author"]:
    """Return the protocol of a study, or of the variants that a page compares."""
    return next(
        record.protocol
        for record in STUDIES.values()
        if record.name == study or record.name.startswith(f"{study}.")
    )


def gather_histories(*histories: dict[str, Any]) -> dict[str, Any]:
    """Put what was said of each fold's training into one table of facts."""
    first = histories[0]
    return {
        "folds": len(histories),
        "epochs": [len(history["epochs"]) for history in histories],
        "best_epochs": [history["best_epoch"] for history in histories],
        "seconds": sum(epoch["seconds"] for history in histories for epoch in history["epochs"]),
        "parameters": first["parameters"],
        "device": first["device"],
        "engine": first["engine"],
    }


def describe_study(
    record: dict[str, Any],
    run_info: dict[str, Any],
    question: Question,
    evaluation: EvaluationParams,
    training: Recipe,
    metrics: dict[str, Any],
    leak_audit: dict[str, Any],
    class_counts: pd.DataFrame,
    rejected: pd.DataFrame,
    histories: dict[str, Any],
) -> dict[str, Any]:
    """Return the fields of a report's content that every study has."""
    study = run_info["pipeline"]
    command = run_info["command"] or f"kedro run --pipeline {study}"
    return {
        "title": question.title,
        "study": study,
        "question": question.text,
        "labels": question.labels,
        "positive": question.positive,
        "protocol": find_protocol(study),
        "folds": histories["folds"],
        "data": record,
        "metrics": metrics,
        "command": command,
        "headline": HEADLINE,
        "unit": question.unit,
        "level": evaluation.level,
        "threshold": evaluation.cut if len(question.labels) == 2 else None,
        "audit": leak_audit,
        "limits": record["limits"],
        "counts": class_counts,
        "rejected": rejected["reason"].value_counts().to_dict(),
        "training": {
            "Network": f"{training.network.name}, {histories['parameters']:,} parameters",
            "Epochs at most": training.epochs,
            "Epochs run, fold by fold": ", ".join(map(str, histories["epochs"])),
            "Best epochs": ", ".join(map(str, histories["best_epochs"])),
            "Batch": training.batch_size,
            "Optimiser": f"{training.optimizer}, learning rate {training.learning_rate:g}",
            "Device": histories["device"].get("name", histories["device"].get("kind", "")),
            "Engine": histories["engine"],
            "Machine": run_info["machine"],
        },
        "parameters": {
            f"{block}.{key}": value
            for block, values in (("training", training), ("evaluation", evaluation))
            for key, value in values.model_dump(mode="json").items()
        },
        "versions": {"python": run_info["python"], **run_info["versions"]},
        "run_id": run_info["run_id"] or "",
        "git_commit": run_info["commit"] or "",
        "seconds": time.time() - run_info["started"] if run_info["started"] else None,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def announce(question: Question, metrics: dict[str, Any], name: str = "") -> None:
    """Say the headline on the console."""
    measure = metrics["cnn"][HEADLINE]
    baselines = ", ".join(
        f"{model} {measures[HEADLINE]['value']:.2f}"
        for model, measures in metrics.items()
        if model not in ("cnn", "majority")
    )
    logger.info(
        "%sAUC for %s: %.2f [%.2f, %.2f] on %d %s of %d patients%s",
        f"{name}: " if name else "",
        question.positive,
        measure["value"],
        measure["low"],
        measure["high"],
        metrics["cnn"]["samples"],
        question.unit,
        metrics["cnn"]["patients"],
        f"; baselines: {baselines}" if baselines else "",
    )

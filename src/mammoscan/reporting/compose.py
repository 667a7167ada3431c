"""From the entries of a study to what its report says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mammoscan.evaluation.comparison import compare_predictions
from mammoscan.params import Question
from mammoscan.records.history import Histories
from mammoscan.records.section import Section
from mammoscan.reporting.cells import build_cells
from mammoscan.reporting.curves import trace_roc
from mammoscan.reporting.facts import Picture, ReportContent, ReportInputs
from mammoscan.reporting.variants import VARIANTS, find_apart, list_ablation, list_claims, list_experiments
from mammoscan.reporting.verdicts import find_best_baseline, find_protocol, say_worth


def compose_report(inputs: ReportInputs) -> ReportContent:
    """Return what a study's report says."""
    metrics, audit, variants = inputs.metrics, inputs.leak_audit, inputs.experiments
    content = describe_study(inputs)
    figures: dict[str, Any] = dict(inputs.figures)
    # A pipeline writes every section that it may have; one with nothing to say has no title.
    sections = {name: section for name, section in inputs.sections.items() if section.title}
    if inputs.views is not None and not inputs.views.used:
        figures.pop("views", None)
    turned = inputs.views is not None and inputs.views.training == "random"
    if inputs.training is not None and inputs.training.augmentation is None and not turned:
        figures.pop("augmented", None)
    # Each variant's matrix says whose it is, and they stand together.
    matrices = [name for name in figures if name.startswith("confusion_matrix_")]
    if matrices:
        names = {name: VARIANTS[name.removeprefix("confusion_matrix_")] for name in matrices}
        figures |= {name: Picture(figures[name], title) for name, title in names.items()}
        sections["matrices"] = Section(
            title="Right and wrong, experiment by experiment", figures=tuple(matrices)
        )
    apart = None if variants is None else find_apart(variants)
    return ReportContent(
        **content,
        worth=say_worth(audit, metrics["cnn"][inputs.question.headline], apart)
        if content["protocol"] == "author"
        else "",
        difference=_compare_with_baseline(inputs),
        classification=inputs.classification,
        calibration=inputs.calibration,
        subgroups=inputs.subgroups,
        ablation=[] if variants is None else list_ablation(variants),
        experiments=[] if variants is None else list_experiments(variants),
        reproduction=[] if inputs.reproduction is None else list_claims(inputs.reproduction),
        cells=_gather_cells(inputs),
        curves={}
        if inputs.predictions is None or not isinstance(inputs.question, Question)
        else trace_roc(inputs.predictions, inputs.question),
        figures=figures,
        sections=sections,
        checklist=inputs.checklist,
    )


def _compare_with_baseline(inputs: ReportInputs) -> dict[str, Any] | None:
    best = find_best_baseline(inputs.metrics, inputs.question.headline)
    if best is None or inputs.predictions is None or not isinstance(inputs.question, Question):
        return None
    network, baseline = (inputs.predictions[inputs.predictions["model"] == name] for name in ("cnn", best[0]))
    return compare_predictions(network, baseline, inputs.question, inputs.evaluation)


def _gather_cells(inputs: ReportInputs) -> list[list[Any]]:
    if inputs.predictions is None or inputs.samples is None or inputs.pixels is None:
        return []
    if not isinstance(inputs.question, Question):
        return []
    heats: dict[tuple[str, int], np.ndarray] = {}
    if "explanations" in inputs.fold_results:
        heats = {
            (str(row["sample_id"]), int(row["fold"])): np.frombuffer(row["heat"], np.uint8).reshape(
                inputs.pixels.shape[1:3]
            )
            for row in inputs.fold_results["explanations"].to_dict("records")
        }
    return build_cells(
        inputs.predictions, inputs.samples, inputs.pixels, inputs.question, inputs.evaluation.cut, heats
    )


def describe_class_weights(labels: Sequence[str], histories: Histories) -> dict[str, str]:
    """Return a line with each label's weight in the loss, from the least to the most of the folds; or nothing."""
    weights = [history.class_weights for history in histories.folds if history.class_weights is not None]
    if not weights:
        return {}
    ranges = [(f"{min(column):.3f}", f"{max(column):.3f}") for column in zip(*weights, strict=True)]
    return {
        "Class weights": ", ".join(
            f"{label} {low}" + (f" to {high}" if high != low else "")
            for label, (low, high) in zip(labels, ranges, strict=True)
        )
    }


def describe_study(inputs: ReportInputs) -> dict[str, Any]:
    """Return the fields of a report's content that every study has."""
    record, run_info, question, evaluation = (
        inputs.record,
        inputs.run_info,
        inputs.question,
        inputs.evaluation,
    )
    study = run_info.pipeline
    command = run_info.command or f"kedro run --pipeline {study}"
    return {
        "title": question.title,
        "study": study,
        "question": question.text,
        "labels": question.labels,
        "positive": question.positive,
        "protocol": inputs.protocol or find_protocol(study),
        "folds": _count_folds(inputs),
        "data": record,
        "metrics": inputs.metrics,
        "command": command,
        "headline": question.headline,
        "unit": question.unit,
        "level": evaluation.level,
        "threshold": evaluation.cut if len(question.labels) == 2 else None,
        "audit": inputs.leak_audit,
        "limits": record.limits,
        "counts": inputs.class_counts,
        "rejected": {} if inputs.rejected is None else inputs.rejected["reason"].value_counts().to_dict(),
        "training": _describe_training(inputs),
        "recipe": inputs.training,
        "evaluation": evaluation,
        "parameters": {
            f"{block}.{key}": value
            for block, values in (("training", inputs.training), ("evaluation", evaluation))
            if values is not None
            for key, value in values.model_dump(mode="json").items()
        },
        "versions": {"python": run_info.python, **run_info.versions},
        "run_id": run_info.run_id or "",
        "git_commit": run_info.commit or "",
        "seconds": time.time() - run_info.started if run_info.started else None,
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _count_folds(inputs: ReportInputs) -> int:
    if inputs.histories is not None:
        return len(inputs.histories.folds)
    return 1 if inputs.predictions is None else int(inputs.predictions["fold"].nunique())


def _describe_training(inputs: ReportInputs) -> dict[str, Any]:
    training, histories = inputs.training, inputs.histories
    if training is None or histories is None:
        return {}
    first = histories.folds[0]
    return {
        "Network": f"{training.network.name}, {first.parameters:,} parameters",
        "Epochs at most": training.epochs,
        "Epochs run, fold by fold": ", ".join(map(str, histories.epochs)),
        "Best epochs": ", ".join(map(str, histories.best_epochs)),
        **describe_class_weights(inputs.question.labels, histories),
        "Batch": training.batch_size,
        "Optimiser": f"{training.optimizer}, learning rate {training.learning_rate:g}",
        "Device": first.device.name,
        "Engine": first.engine,
        "Machine": inputs.run_info.machine,
    }

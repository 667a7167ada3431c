"""Gathers a model's card from the run: nothing in it is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mammoscan.evaluation.out_of_distribution import AS_IS
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.evaluation.splits import find_lockbox_rows, find_used_rows
from mammoscan.params import EvaluationParams, Question, Recipe, TargetQuestion, ViewParams
from mammoscan.records.card import Card, CardOutOfDistribution, CardSubgroup, CardTarget, ModelInput
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories, History
from mammoscan.records.run_info import RunInfo
from mammoscan.reporting.division import find_division, name_division
from mammoscan.reporting.facts import HEADLINE
from mammoscan.reporting.model_card import choose_notice
from mammoscan.reporting.trust_section import CALIBRATION, say_rule
from mammoscan.reporting.verdicts import find_protocol


@dataclass(frozen=True)
class CardInputs:
    """The catalog entries that a card is written from.

    Attributes:
        folds: Say which samples are used, and which lie in the lockbox.
        histories: The folds' trainings.
        final: The final model's training; without it and the three below, the card is that of an article's own
            procedure.
        trust: Temperature, threshold and their measurement.
        reference: The final model's fitted out-of-distribution check.
        fingerprint: By which its training images are known again.
    """

    record: DatasetRecord
    run_info: RunInfo
    model_input: ModelInput
    samples: pd.DataFrame
    folds: pd.DataFrame
    question: Question | TargetQuestion
    training: Recipe
    views: ViewParams
    evaluation: EvaluationParams
    metrics: Mapping[str, Any]
    leak_audit: Mapping[str, Any]
    histories: Histories
    final: History | None = None
    trust: Mapping[str, Any] | None = None
    reference: Mapping[str, Any] | None = None
    fingerprint: pd.DataFrame | None = None
    subgroups: pd.DataFrame | None = None


def gather_card(inputs: CardInputs) -> Card:
    """Return the card of a study's packaged model."""
    card = _describe(inputs)
    evaluation, trust = inputs.evaluation, inputs.trust
    if inputs.final is None or trust is None or inputs.reference is None or inputs.subgroups is None:
        return Card(**card, threshold=evaluation.cut, threshold_rule=f"fixed at {evaluation.cut:g}")
    sides = trust["calibration"]
    return Card(
        **card,
        threshold=evaluation.cut if trust["threshold"] is None else trust["threshold"],
        threshold_rule=say_rule(trust, inputs.question.positive),
        temperature=trust["temperature"],
        calibration={side: {key: sides[side][key] for key in CALIBRATION} for side in sides},
        operation=trust["operation"],
        prevalence=trust["prevalence"],
        epochs=len(inputs.final.epochs),
        fingerprinted=None if inputs.fingerprint is None else len(inputs.fingerprint),
        subgroups=_list_subgroups(inputs.subgroups),
        out_of_distribution=_describe_check(trust, inputs.reference),
    )


def gather_target_card(inputs: CardInputs) -> Card:
    """Return the card of a model that predicts a number or a level."""
    question, trust = inputs.question, inputs.trust
    assert isinstance(question, TargetQuestion)
    assert inputs.final is not None
    assert trust is not None
    assert inputs.reference is not None
    numbers = inputs.samples["target"]
    return Card(
        **_describe(inputs),
        threshold=0.0,
        epochs=len(inputs.final.epochs),
        out_of_distribution=_describe_check(trust, inputs.reference),
        target=CardTarget(
            kind=question.kind,
            quantity=question.quantity,
            measured_in=question.measured_in,
            levels=question.levels,
            low=float(numbers.min()),
            high=float(numbers.max()),
            error_low=trust["error_low"],
            error_high=trust["error_high"],
            digits=inputs.metrics[MAIN_MODEL]["mae"]["digits"],
        ),
    )


def _describe_check(trust: Mapping[str, Any], reference: Mapping[str, Any]) -> CardOutOfDistribution:
    shares = trust["out_of_distribution"]
    return CardOutOfDistribution(
        in_distribution_share=trust["in_distribution_share"],
        held_out=shares[AS_IS],
        altered={shown: value for shown, value in shares.items() if shown != AS_IS},
        limits={name: reference[name]["limit"] for name in ("levels", "features")},
    )


def _list_subgroups(subgroups: pd.DataFrame) -> tuple[CardSubgroup, ...]:
    chosen = subgroups[(subgroups["model"] == MAIN_MODEL) & (subgroups["metric"] == HEADLINE)]
    columns = ["by", "subgroup", "samples", "patients", "value", "low", "high", "note"]
    rows = chosen[columns].astype(object).where(chosen[columns].notna(), None).to_dict("records")
    return tuple(CardSubgroup.model_validate(row) for row in rows)


def _describe(inputs: CardInputs) -> dict[str, Any]:
    study = inputs.run_info.pipeline
    protocol = find_protocol(study)
    division = find_division(protocol, inputs.record.patients_known, inputs.leak_audit)
    used, locked = (inputs.samples.iloc[find(inputs.folds)] for find in (find_used_rows, find_lockbox_rows))
    return {
        "study": study,
        "title": inputs.question.title,
        "question": inputs.question.text,
        "division": name_division(division, inputs.leak_audit),
        "patients_apart": division in ("patients", "images"),
        "verified": inputs.record.verified,
        "unit": inputs.question.unit,
        "protocol": protocol,
        "data": inputs.record.kind,
        "dataset": inputs.record.dataset,
        "data_fingerprint": inputs.record.fingerprint,
        "citation": inputs.record.citation,
        "licence": inputs.record.licence,
        "address": inputs.record.address,
        "limits": list(inputs.record.limits),
        "labels": list(inputs.question.labels),
        "positive": inputs.question.positive,
        "samples": len(used),
        "patients": int(used["patient_id"].nunique()) if inputs.record.patients_known else None,
        "label_samples": {label: int((used["label"] == label).sum()) for label in inputs.question.labels},
        "lockbox_patients": int(locked["patient_id"].nunique()),
        "level": inputs.evaluation.level,
        "training": inputs.training,
        "views": inputs.views,
        "input": inputs.model_input.input,
        "shape": inputs.model_input.shape,
        "folds": len(inputs.histories.folds),
        "best_epochs": inputs.histories.best_epochs,
        "parameters": inputs.histories.folds[0].parameters,
        "metrics": inputs.metrics[MAIN_MODEL],
        "baselines": {
            name: values[inputs.question.headline]
            for name, values in inputs.metrics.items()
            if name != MAIN_MODEL
        },
        "notice": choose_notice(inputs.record.kind, division),
        "run_id": inputs.run_info.run_id or "",
        "commit": inputs.run_info.commit or "",
        "command": inputs.run_info.command or f"kedro run --pipeline {study}",
        "python": inputs.run_info.python,
        "versions": inputs.run_info.versions,
    }

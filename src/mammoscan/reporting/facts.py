"""What a report is made from, and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.params import EvaluationParams, Question, Recipe, TargetQuestion, ViewParams
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.history import Histories
from mammoscan.records.run_info import RunInfo
from mammoscan.records.section import Section
from mammoscan.reporting.cells import Cell
from mammoscan.reporting.division import Protocol


@dataclass(frozen=True)
class Picture:
    """A drawn figure on its way into a report.

    Attributes:
        png: The image.
        caption: What it shows; when empty, that of ``captions.CAPTIONS``.
        alt: Its text alternative; when empty, the caption and the figure's numbers.
    """

    png: bytes
    caption: str = ""
    alt: str = ""


HEADLINE = "auc"


@dataclass(frozen=True)
class ReportInputs:
    """The catalog entries that a report is written from. Whatever is missing leaves its section out.

    Attributes:
        record: The data set.
        run_info: The run.
        protocol: How the images were divided; None means as the run's study says.
        histories: The folds' trainings.
        fold_results: What the folds left, with the explanations of predictions.
        experiments: The variants of an article's study, one row each.
        reproduction: The article's claims beside what came out here.
        figures: PNG bytes by the bare names of their entries.
        sections: The study's own sections likewise.
        checklist: The reporting checklist as Markdown, to be saved from the page.
    """

    record: DatasetRecord
    run_info: RunInfo
    question: Question | TargetQuestion
    evaluation: EvaluationParams
    metrics: Mapping[str, Any]
    protocol: Protocol | None = None
    training: Recipe | None = None
    leak_audit: Mapping[str, Any] = field(default_factory=dict)
    class_counts: pd.DataFrame | None = None
    rejected: pd.DataFrame | None = None
    histories: Histories | None = None
    predictions: pd.DataFrame | None = None
    samples: pd.DataFrame | None = None
    pixels: np.ndarray | None = None
    views: ViewParams | None = None
    classification: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    subgroups: pd.DataFrame | None = None
    fold_results: Mapping[str, Any] = field(default_factory=dict)
    classification_report_text: str = ""
    classification_table: pd.DataFrame | None = None
    confusion_counts: pd.DataFrame | None = None
    network: list[dict[str, Any]] = field(default_factory=list)
    network_summary: str = ""
    experiments: pd.DataFrame | None = None
    reproduction: pd.DataFrame | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)
    sections: Mapping[str, Section] = field(default_factory=dict)
    checklist: str = ""

    @classmethod
    def gather(cls, entries: Mapping[str, Any]) -> ReportInputs:
        """Return the inputs from entries: figures and sections by their bare names, ``roc`` for ``roc_figure``."""
        kinds = {
            kind: {
                name.removesuffix(f"_{kind}"): entry
                for name, entry in entries.items()
                if name.endswith(f"_{kind}")
            }
            for kind in ("figure", "section")
        }
        kinds["figure"] |= {
            f"confusion_matrix_{name.removesuffix('_results')}": entry["confusion_matrix_figure"]
            for name, entry in entries.items()
            if name.endswith("_results") and name != "fold_results"
        }
        fields = cls.__dataclass_fields__
        named = {name: entry for name, entry in entries.items() if name in fields}
        return cls(**named, figures=kinds["figure"], sections=kinds["section"])


@dataclass(frozen=True)
class ReportContent:
    """All that one report says. Whatever is empty leaves its section out.

    Attributes:
        title: The report's heading.
        study: The study's name.
        question: What was asked, as a sentence.
        labels: The labels in the order of the network's outputs.
        positive: The label whose recall matters.
        protocol: How the images were divided, see ``find_division``.
        folds: Number of divisions.
        data: The record of the data set.
        metrics: For each model its measures (``value``, ``low``, ``high``), ``samples``, ``patients`` and
            ``fold_auc``.
        command: What a person types to repeat the run.
        headline: Name of the measure that the report opens with.
        unit: What a sample is called, in the plural.
        level: Coverage of the intervals.
        threshold: From which probability the positive label is said.
        difference: Paired difference of the headline measure, network less the best baseline, where computed.
        audit: The leak audit.
        calibration: For each model what ``measure_calibration`` found.
        subgroups: The table of ``measure_subgroups``.
        worth: For an author's protocol: what its number is worth and why; stands on top.
        limits: Sentences.
        counts: The table of ``count_classes``.
        rejected: Reasons with the number of rows left out for each.
        classification: ``sklearn``'s classification report as a dictionary.
        figures: PNG bytes, or pictures with words of their own, by name (see ``captions.CAPTIONS``).
        ablation: Rows of ``name`` and measures, the published procedure first.
        reproduction: Rows of ``claim``, ``article``, ``ours`` and where needed ``note``.
        experiments: Rows of ``experiment``, ``recall`` and ``precision``.
        sections: What this study says besides, by the anchors of its sections.
        checklist: See ``ReportInputs``.
        training: Facts on the network and its training, by name.
        recipe: How the networks were trained.
        evaluation: How they were measured.
        cells: The confusion matrix with images of each cell, row by row.
        curves: The points of each model's ROC curve.
        parameters: The run's parameters, flattened.
        versions: Package names with versions.
        run_id: The tracking run.
        git_commit: The code's commit.
        seconds: How long the run took.
        created: When, as text.
    """

    title: str
    study: str
    question: str
    labels: Sequence[str]
    positive: str
    protocol: Protocol
    folds: int
    data: DatasetRecord
    metrics: Mapping[str, Mapping[str, Any]]
    command: str
    headline: str = "auc"
    unit: str = "images"
    level: float = 0.95
    threshold: float | None = None
    difference: Mapping[str, Any] | None = None
    audit: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    subgroups: pd.DataFrame | None = None
    worth: str = ""
    limits: Sequence[str] = ()
    counts: pd.DataFrame | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)
    classification: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, bytes | Picture] = field(default_factory=dict)
    ablation: Sequence[Mapping[str, Any]] = ()
    reproduction: Sequence[Mapping[str, Any]] = ()
    experiments: Sequence[Mapping[str, Any]] = ()
    sections: Mapping[str, Section] = field(default_factory=dict)
    checklist: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    evaluation: EvaluationParams | None = None
    cells: Sequence[Sequence[Cell]] = ()
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    git_commit: str = ""
    seconds: float | None = None
    created: str = ""

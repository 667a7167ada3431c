"""Fills a checklist after CLAIM 2024 and TRIPOD+AI from a run's records.

The numbers are those of Tejani and others, Radiology: Artificial Intelligence 2024, e240300 (CLAIM) and of Collins and
others, BMJ 2024, e078378 (TRIPOD+AI); the items are in our own words. The answers stand in ``checklist.j2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mammoscan.params import EvaluationParams, Question, Recipe, SplitParams, ViewParams
from mammoscan.records.checklist import Checklist, ChecklistItem
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.decision_curve import DecisionCurve
from mammoscan.records.flow import SampleFlow
from mammoscan.records.history import Histories
from mammoscan.records.run_info import RunInfo
from mammoscan.records.sample_size import SampleSize
from mammoscan.records.section import Section, Table
from mammoscan.reporting.decision_section import list_ranges
from mammoscan.reporting.division import Division, Protocol, find_division
from mammoscan.reporting.format import describe_changes
from mammoscan.reporting.render import load_environment, render_text
from mammoscan.reporting.verdicts import find_best_baseline, find_protocol

TITLE, INTRODUCTION, DATA, REFERENCE = "Title and abstract", "Introduction", "Data", "Reference standard"
DESIGN, PARTITIONS, MODEL = "Design", "Partitions and sample size", "Model and training"
EVALUATION, RESULTS = "Evaluation", "Results"
DISCUSSION, OTHER = "Discussion", "Other information"

# (part, CLAIM 2024, TRIPOD+AI, what is to be reported, the macro that answers, what is left to the author)
ITEMS: tuple[tuple[str, str, str, str, str, str], ...] = (
    (TITLE, "1", "1", "Title that names the method and the task", "", "the title"),
    (TITLE, "2", "2", "Structured abstract", "", "the abstract"),
    (
        INTRODUCTION,
        "3",
        "3a, 3b",
        "Background, intended use and users",
        "intended_use",
        "the clinical background",
    ),
    (
        INTRODUCTION,
        "",
        "3c",
        "Known differences in care between groups of people",
        "",
        "what is known of them",
    ),
    (INTRODUCTION, "4", "4", "Aims and hypotheses", "aims", "the hypotheses"),
    (DESIGN, "5", "5a", "Prospective or retrospective", "design", ""),
    (DESIGN, "6", "4", "Goal of the study", "goal", "the clinical goal"),
    (DATA, "7", "5a", "Data sources", "sources", ""),
    (DATA, "", "5b, 6a", "Dates, setting and centres", "", "when and where the images were taken"),
    (DATA, "8", "6b", "Inclusion and exclusion", "criteria", "how the patients came into the data set"),
    (DATA, "", "6c", "Treatments, if they matter", "", "treatments, or that there were none"),
    (DATA, "9", "7, 9b", "Preprocessing", "preprocessing", ""),
    (DATA, "10", "9a", "Selection of parts of images", "selection", ""),
    (DATA, "11", "", "De-identification", "", "how the images were de-identified"),
    (DATA, "12", "11", "Missing data", "missing", ""),
    (DATA, "13", "", "How the images were acquired", "acquisition", "devices and settings"),
    (REFERENCE, "14", "8a", "Definition of the reference standard", "reference", ""),
    (REFERENCE, "15", "8a", "Why this reference standard", "", "the reason"),
    (
        REFERENCE,
        "16",
        "8b",
        "Who annotated, and with what qualification",
        "annotators",
        "their qualification",
    ),
    (
        REFERENCE,
        "17",
        "8c",
        "How the test set was annotated",
        "test_labels",
        "whether they were blinded",
    ),
    (
        REFERENCE,
        "18",
        "8b",
        "Agreement between and within annotators",
        "",
        "agreement, or that it is not known",
    ),
    (PARTITIONS, "19", "12a", "How data were assigned to partitions", "partitions", ""),
    (PARTITIONS, "20", "12a", "Level at which partitions are disjoint", "level", ""),
    (PARTITIONS, "21", "10", "Sample size", "sample_size", ""),
    (MODEL, "22", "12c, 22", "The model, in detail", "model", ""),
    (MODEL, "23", "12c", "Software", "software", ""),
    (MODEL, "24", "12c", "Initial weights", "initial_weights", ""),
    (
        MODEL,
        "25",
        "12b, 12c",
        "Training, augmentation, hyperparameters",
        "training",
        "how the recipe was found",
    ),
    (MODEL, "26", "12c", "How the final model was selected", "final_model", ""),
    (MODEL, "27", "12c", "Ensembles", "ensembles", ""),
    (MODEL, "", "13", "Class imbalance", "imbalance", ""),
    (MODEL, "", "14", "Fairness", "", "what was done for it, and why"),
    (MODEL, "", "15", "What the model puts out, and thresholds", "output", ""),
    (MODEL, "", "16", "Differences between training and evaluation data", "differences", ""),
    (EVALUATION, "28", "12e", "Measures of performance", "measures", ""),
    (EVALUATION, "29", "12e", "Uncertainty and tests", "uncertainty", ""),
    (EVALUATION, "30", "12d, 23b", "Robustness", "robustness", ""),
    (
        EVALUATION,
        "31",
        "",
        "Explainability",
        "explainability",
        "whether a reader found the explanations sensible",
    ),
    (EVALUATION, "32", "12a", "Evaluation on internal data", "internal", ""),
    (EVALUATION, "33", "12a", "Testing on external data", "external", "an external test"),
    (EVALUATION, "", "12f, 24", "Recalibration of the model", "updating", ""),
    (EVALUATION, "34", "18d", "Registration of the trial", "", "the registration, or that there is none"),
    (RESULTS, "35", "20a", "Flow of patients and images", "flow", ""),
    (
        RESULTS,
        "36",
        "20b, 20c",
        "Characteristics of the cases in each partition",
        "characteristics",
        "age, sex and what else is known",
    ),
    (RESULTS, "", "21", "Participants and cases in each analysis", "analyses", ""),
    (RESULTS, "37", "23a", "Performance with its uncertainty", "performance", ""),
    (RESULTS, "38", "23a", "Diagnostic performance at a threshold, and its use", "diagnostic", ""),
    (RESULTS, "39", "", "Failures", "failures", "what a reader sees in them"),
    (DISCUSSION, "40", "26", "Limitations", "limitations", "the others"),
    (DISCUSSION, "41", "25, 27c", "Meaning for practice, and next steps", "", "both"),
    (DISCUSSION, "", "27a, 27b", "Poor input, and who must know what to use the model", "usability", ""),
    (OTHER, "42", "18c", "Protocol", "protocol", "whether it was written before the analysis"),
    (
        OTHER,
        "43",
        "18e, 18f",
        "Availability of data, code and model",
        "availability",
        "where the model can be had",
    ),
    (OTHER, "44", "18a, 18b", "Funding and interests", "", "both"),
    (OTHER, "", "17", "Ethics", "", "the approval, or why none was needed"),
    (OTHER, "", "19", "Patients and public in the study", "", "their part, or that they had none"),
)


@dataclass(frozen=True)
class ChecklistFacts:
    """What a run knows. An item whose facts are missing is left to the author.

    Attributes:
        metrics: For each model its measures.
        trust: Temperature, threshold and out-of-distribution check.
        repeats: The spread over splits and seeds.
        changes: What a training changes in its images at random.
    """

    record: DatasetRecord
    run_info: RunInfo
    question: Question
    evaluation: EvaluationParams
    metrics: Mapping[str, Any]
    leak_audit: Mapping[str, Any] = field(default_factory=dict)
    protocol: Protocol | None = None
    training: Recipe | None = None
    views: ViewParams | None = None
    split: SplitParams | None = None
    histories: Histories | None = None
    flow: SampleFlow | None = None
    sample_size: SampleSize | None = None
    decision_curve: DecisionCurve | None = None
    subgroups: pd.DataFrame | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    trust: Mapping[str, Any] = field(default_factory=dict)
    repeats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def division(self) -> Division:
        """What the division keeps apart."""
        protocol = self.protocol or find_protocol(self.run_info.pipeline)
        return find_division(protocol, self.record.patients_known, self.leak_audit)

    @property
    def measures(self) -> Mapping[str, Any]:
        """Those of the network."""
        return self.metrics["cnn"]

    @property
    def changes(self) -> str:
        """What a training changes in its images at random."""
        if self.training is None:
            return ""
        turned = self.views is not None and self.views.training == "random"
        return describe_changes(self.training.augmentation, turned)

    @property
    def best_baseline(self) -> tuple[str, Mapping[str, Any]] | None:
        """The best simple model."""
        return find_best_baseline(self.metrics, "auc")

    @property
    def gains(self) -> list[tuple[float, float]]:
        """Thresholds at which deciding by the model is worth more than calling all or none."""
        return [] if self.decision_curve is None else list_ranges(self.decision_curve.points, 1)

    @property
    def subgroup_names(self) -> list[str]:
        """By what the samples are divided into subgroups."""
        return [] if self.subgroups is None else list(dict.fromkeys(self.subgroups["by"].astype(str)))


def fill_checklist(facts: ChecklistFacts) -> Checklist:
    """Return the checklist, filled in as far as the facts go."""
    answers = load_environment(escape=False).get_template("checklist.j2").module
    items = []
    for part, claim, tripod, item, macro, missing in ITEMS:
        answer = " ".join(str(getattr(answers, macro)(facts)).split()) if macro else ""
        items.append(
            ChecklistItem(
                part=part,
                claim=claim,
                tripod=tripod,
                item=item,
                answer=answer,
                missing=missing if answer else missing or "this item: the run does not know",
            )
        )
    return Checklist(study=facts.run_info.pipeline, items=tuple(items))


def write_checklist(checklist: Checklist) -> str:
    """Return the checklist as Markdown, to be completed by the author."""
    return render_text("checklist.md.j2", checklist=checklist)


def name_numbers(item: ChecklistItem) -> str:
    """Return an item's numbers, ``CLAIM 5; TRIPOD+AI 5a``."""
    numbers = (("CLAIM", item.claim), ("TRIPOD+AI", item.tripod))
    return "; ".join(f"{name} {number}" for name, number in numbers if number)


def build_checklist_section(checklist: Checklist) -> Section:
    """Return the checklist as a section of a report, which is folded until somebody opens it."""
    return Section(
        title="Checklist for reviewers",
        folded=True,
        paragraphs=(
            "After CLAIM 2024 and TRIPOD+AI, in our own words; compare the numbers with the journal's form. "
            f"{checklist.filled} of {len(checklist.items)} items are filled in from the records of this run. "
            "The same list is in checklist.md, with a box for each item.",
        ),
        tables=(
            Table(
                caption="What is to be reported, and what this run knows of it",
                columns=("CLAIM", "TRIPOD+AI", "Item", "From this run", "Left to the author"),
                rows=tuple(
                    (
                        item.claim or "–",
                        item.tripod or "–",
                        item.item,
                        item.answer or "–",
                        item.missing or "–",
                    )
                    for item in checklist.items
                ),
            ),
        ),
    )

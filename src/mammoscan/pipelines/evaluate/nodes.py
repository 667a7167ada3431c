from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.data import score_table
from mammoscan.evaluation import metrics, operating_point
from mammoscan.evaluation.comparison import compare_predictions
from mammoscan.evaluation.predictions import MAIN_MODEL
from mammoscan.params import EvaluateParams, EvaluationParams, Question
from mammoscan.pipelines.reporting.nodes import choose_stamp, write_page
from mammoscan.provenance import read_note
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.run_info import RunInfo
from mammoscan.records.section import Section
from mammoscan.reporting import score_sections

logger = logging.getLogger("mammoscan")
# So many groups of patients choose a threshold for each other where a table names no folds.
GROUPS = 5


def settle_question(evaluate: EvaluateParams) -> tuple[Question, EvaluationParams]:
    """Find the labels that a table of scores has, and say how they are measured."""
    file = score_table.find_table("evaluate.predictions", evaluate.predictions)
    labels = score_table.read_labels(file, evaluate)
    return score_table.ask_question(file, labels, evaluate), evaluate.evaluation


def read_scores(
    evaluate: EvaluateParams, question: Question
) -> tuple[DatasetRecord, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Read the table of truth and scores, and the one that it is compared with.

    Returns:
        The record of the table; ``predictions``; those of the other table (without rows where there is none);
        ``samples`` with the columns of the subgroups; and the rejected rows.
    """
    file = score_table.find_table("evaluate.predictions", evaluate.predictions)
    found = score_table.read_scores(file, evaluate, question)
    kind = "phantom" if is_of_phantom(file) else "real"
    record = score_table.describe_table(file, found, evaluate, kind)
    other = found.predictions.iloc[:0]
    if evaluate.against is not None:
        second = score_table.find_table("evaluate.against", evaluate.against)
        other = score_table.read_scores(second, evaluate, question).predictions
    people = f"of {record.patients:,} patients" if record.patients_known else "(patients unknown)"
    stamp = "PHANTOM " if kind == "phantom" else ""
    logger.info("%sscores of %d %s %s in %s", stamp, record.images, question.unit, people, file)
    for note in found.notes:
        logger.info("%s", note)
    return record, found.predictions, other, found.samples, found.rejected


def is_of_phantom(file: Path) -> bool:
    """Return whether the note beside a file, which runs write, says that it was made of a phantom."""
    note = read_note(file) or {}
    made_with: dict[str, Any] = note.get("made_with", {})
    return any(name.endswith(".source") and value == "phantom" for name, value in made_with.items())


def measure_subgroups(
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    evaluate: EvaluateParams,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Measure within each value of the columns that ``evaluate.subgroups`` names."""
    return metrics.measure_subgroups(predictions, samples, question, evaluation, evaluate.subgroups)


def measure_thresholds(
    predictions: pd.DataFrame, question: Question, evaluation: EvaluationParams
) -> dict[str, Any]:
    """Fit temperature and threshold, and measure what they are worth on patients who had no part in the fit.

    Returns:
        What ``operating_point.measure_trust`` does, and ``groups``: into how many the patients were dealt because the
        table names no folds; 0 where it does.
    """
    rows = predictions[predictions["model"] == MAIN_MODEL]
    groups = 0
    if len(set(rows["fold"])) == 1:
        codes, patients = pd.factorize(rows["patient_id"].astype(str), sort=True)
        groups = min(GROUPS, len(patients))
        dealt = np.random.default_rng(evaluation.seed).permutation(len(patients)) % groups
        rows = rows.assign(fold=dealt[codes])
    return operating_point.measure_trust(rows, question, evaluation) | {"groups": groups}


def draw_calibration(record: DatasetRecord, thresholds: dict[str, Any], question: Question) -> Figure:
    """Draw the reliability of the scores as they are, and with one temperature."""
    sides = thresholds["calibration"]
    return figures.draw_calibration(
        sides["before"]["bins"], sides["after"]["bins"], choose_stamp(record), positive=question.positive
    )


def compare_tables(
    predictions: pd.DataFrame,
    other_predictions: pd.DataFrame,
    question: Question,
    evaluate: EvaluateParams,
    evaluation: EvaluationParams,
) -> dict[str, Any]:
    """Measure both models on the samples that both tables hold, and the difference of their AUCs.

    Returns:
        ``first`` and ``second``, each with ``name`` and ``metrics``; and ``difference``, what ``compare_predictions``
        found of the first less the second. Empty where there is no second table.
    """
    if other_predictions.empty:
        return {}
    tables = [table[table["model"] == MAIN_MODEL] for table in (predictions, other_predictions)]
    difference = compare_predictions(tables[0], tables[1], question, evaluation)
    both = set(tables[0]["sample_id"].astype(str)) & set(tables[1]["sample_id"].astype(str))
    sides = {
        side: {
            "name": Path(str(file)).name,
            "metrics": metrics.measure_predictions(
                table[table["sample_id"].astype(str).isin(both)], question, evaluation
            )[MAIN_MODEL],
        }
        for side, file, table in zip(
            ("first", "second"), (evaluate.predictions, evaluate.against), tables, strict=True
        )
    }
    return sides | {"difference": {**difference, **{side: sides[side]["name"] for side in sides}}}


def write_threshold_section(thresholds: dict[str, Any], question: Question) -> Section:
    """Say whether the scores are probabilities, and what deciding by them costs."""
    return score_sections.write_threshold_section(thresholds, question)


def write_comparison_section(comparison: dict[str, Any]) -> Section:
    """Say which of two tables ranks better, if any does."""
    return score_sections.write_comparison_section(comparison)


def write_report(
    record: DatasetRecord,
    run_info: RunInfo,
    question: Question,
    evaluation: EvaluationParams,
    **entries: Any,
) -> str:
    """Put all of it on one self-contained HTML page: the report of a study, without what only a training can tell."""
    entries |= {"record": record, "run_info": run_info, "question": question, "evaluation": evaluation}
    return write_page(entries | {"protocol": "scores"})

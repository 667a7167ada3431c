from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.pipelines.author.tabulating import MEASURES, VARIANTS, read_variants
from mammoscan.pipelines.reporting.drawing import choose_stamp
from mammoscan.pipelines.reporting.writing import announce, describe_study, sort_parts
from mammoscan.reporting.build_report import build_report
from mammoscan.reporting.content import Picture, ReportContent, Section
from mammoscan.reporting.words import say_worth
from mammoscan.studies import ABLATION, EXPERIMENTS, EvaluationParams, Question, Recipe

# What the article states: recall and precision on malignant cases of its best experiment.
CLAIMED = {"calcifications_class": {"claimed_recall": 0.97, "claimed_precision": 1.0}}


def draw_ablation(record: dict[str, Any], experiments: pd.DataFrame) -> Figure:
    """Draw what is left of the claim as each flaw is taken away."""
    rows = [row for row in read_variants(experiments) if row["variant"] in ("published", *ABLATION)]
    return figures.draw_ablation(rows, choose_stamp(record), metric="auc")


def draw_experiments(record: dict[str, Any], experiments: pd.DataFrame) -> Figure:
    """Draw recall and precision on malignant cases of the six experiments: the article's closing chart."""
    rows = _list_experiments(experiments)
    return figures.draw_experiment_chart(rows, choose_stamp(record), positive="malignant")


def write_ablation_report(
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
    classification: dict[str, Any],
    experiments: pd.DataFrame,
    reproduction: pd.DataFrame,
    **pictures: bytes,
) -> str:
    """Write the article's number, what it is worth and why, and what each flaw carries."""
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
    rows = list(read_variants(experiments))
    apart = next(row for row in rows if row["variant"] == "without_any")
    announce(question, metrics)
    return build_report(
        ReportContent(
            **content,
            classification=classification,
            worth=say_worth(leak_audit, metrics["cnn"]["auc"], apart["auc"]),
            ablation=[_keep_measures(row) for row in rows if row["variant"] in ("published", *ABLATION)],
            reproduction=_list_claims(reproduction),
            **sort_parts(pictures),
        )
    )


def write_experiments_report(
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
    experiments: pd.DataFrame,
    reproduction: pd.DataFrame,
    **pictures: bytes,
) -> str:
    """Write the six experiments on one page; its headline is the article's own, calcifications class-balanced."""
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
    for row in read_variants(experiments):
        announce(question, {"cnn": row}, row["name"])
    return build_report(
        ReportContent(
            **content,
            worth=say_worth(leak_audit, metrics["cnn"]["auc"], None),
            experiments=_list_experiments(experiments),
            reproduction=_list_claims(reproduction),
            **_name_matrices(pictures),
        )
    )


def _name_matrices(pictures: dict[str, bytes]) -> dict[str, Any]:
    """Say under each confusion matrix which experiment it is of, and show them together."""
    figures: dict[str, bytes | Picture] = dict(sort_parts(pictures)["figures"])
    matrices = {f"confusion_matrix_{name}": VARIANTS[name] for name in EXPERIMENTS}
    figures |= {name: Picture(pictures[f"{name}_figure"], title) for name, title in matrices.items()}
    section = Section("matrices", "Right and wrong, experiment by experiment", figures=tuple(matrices))
    return {"figures": figures, "sections": [section]}


def _list_experiments(experiments: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "experiment": row["name"],
            "recall": row["sensitivity"],
            "precision": row["precision"],
            **CLAIMED.get(row["variant"], {}),
        }
        for row in read_variants(experiments)
        if row["variant"] in EXPERIMENTS
    ]


def _keep_measures(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key == "name" or key in MEASURES}


def _list_claims(reproduction: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(key): value for key, value in row.items()} for row in reproduction.fillna("").to_dict("records")
    ]

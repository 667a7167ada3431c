"""Nodes that put an article's variants and claims into tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.params import EvaluationParams, Question, Recipe
from mammoscan.pipelines.reporting.nodes import announce, choose_stamp, describe_study, sort_parts
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.section import Section
from mammoscan.reporting.facts import Picture, ReportContent
from mammoscan.reporting.format import format_percent
from mammoscan.reporting.report import build_report
from mammoscan.reporting.verdicts import say_worth
from mammoscan.studies import ABLATION, EXPERIMENTS

MEASURES = ("auc", "accuracy", "sensitivity", "precision")

VARIANTS = {
    "published": "as published",
    "without_copies": "without the four exact copies",
    "without_rotations": "views of a region on one side",
    "without_crop_scale": "fixed window instead of the radius",
    "without_epoch_choice": "epoch chosen on validation images",
    "without_any": "all of these, patients apart",
    "unbalanced": "unbalanced, without copies, 275 epochs",
    "calcifications_class": "calcifications, class-balanced",
    "calcifications_full": "calcifications, fully balanced",
    "masses_class": "masses, class-balanced",
    "masses_full": "masses, fully balanced",
    "all_classes_class": "all classes, class-balanced",
    "all_classes_full": "all classes, fully balanced",
}


def tabulate_variants(**results: Any) -> pd.DataFrame:
    """Put the variants of an article's study into one table.

    Args:
        results: For each variant ``<name>_metrics`` and ``<name>_history``; of several folds the first history.

    Returns:
        A row a variant: its key and name, images and patients tested, best epoch, each measure with its interval.
    """
    rows = []
    for key in (name.removesuffix("_metrics") for name in results if name.endswith("_metrics")):
        measured = results[f"{key}_metrics"]["cnn"]
        row: dict[str, Any] = {
            "variant": key,
            "name": VARIANTS[key],
            "images": measured["samples"],
            "patients": measured["patients"],
            "best_epoch": results[f"{key}_history"].best_epoch,
        }
        for name in MEASURES:
            row |= {name: measured[name]["value"]}
            row |= {f"{name}_low": measured[name]["low"], f"{name}_high": measured[name]["high"]}
        rows.append(row)
    return pd.DataFrame(rows)


def read_variants(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of ``tabulate_variants`` with their measures as value, low and high."""
    for row in table.to_dict("records"):
        measures = {
            name: {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
            for name in MEASURES
        }
        facts = {name: row[name] for name in ("variant", "name", "best_epoch", "patients")}
        yield {**facts, "samples": row["images"], **measures}


def tabulate_reproduction(
    record: DatasetRecord, class_counts: pd.DataFrame, leak_audit: dict[str, Any], experiments: pd.DataFrame
) -> pd.DataFrame:
    """Put the article's claims on calcifications beside what came out here."""
    rows = {row["variant"]: row for row in read_variants(experiments)}
    published, side = rows["published"], rows["unbalanced"]
    claims = [
        ("Scans in the data set", "332", f"{record.images}", "the published set has 322"),
        ("Images of calcifications, class-balanced", "240", f"{class_counts['after'].sum():.0f}", ""),
        ("of which tested", "60", f"{leak_audit['test_images']}", "25 % drawn at random"),
        ("Recall on malignant", "97 %", format_percent(published["sensitivity"]), ""),
        ("Precision on malignant", "100 %", format_percent(published["precision"]), ""),
        (
            "Accuracy unbalanced, without copies, 275 epochs",
            "about 90 %",
            format_percent(side["accuracy"]),
            "rotated and mirrored copies are still shared",
        ),
        (
            "Results change with the hardware",
            "yes",
            "not on one machine",
            "the same seed gives the same bits; several machines were not compared",
        ),
    ]
    return pd.DataFrame(claims, columns=["claim", "article", "ours", "note"])


def tabulate_comparisons(experiments: pd.DataFrame) -> pd.DataFrame:
    """Put the article's claims on its six experiments beside what came out here."""
    rows = {row["variant"]: row for row in read_variants(experiments)}
    better = [
        group
        for group in ("calcifications", "masses", "all_classes")
        if rows[f"{group}_class"]["auc"]["value"] > rows[f"{group}_full"]["auc"]["value"]
    ]
    best = rows["calcifications_class"]
    claims = [
        (
            "Recall on malignant, calcifications class-balanced",
            "97 %",
            format_percent(best["sensitivity"]),
            "",
        ),
        (
            "Precision on malignant, calcifications class-balanced",
            "100 %",
            format_percent(best["precision"]),
            "",
        ),
        (
            "Masses need 1,000 epochs",
            "1,000",
            f"best epoch {rows['masses_class']['best_epoch']}",
            "of the recipe's epochs, chosen on the test images",
        ),
        (
            "Class-balanced beats fully balanced",
            "yes",
            f"by AUC for {len(better)} of 3 questions",
            ", ".join(better).replace("_", " "),
        ),
    ]
    return pd.DataFrame(claims, columns=["claim", "article", "ours", "note"])


# What the article states: recall and precision on malignant cases of its best experiment.
CLAIMED = {"calcifications_class": {"claimed_recall": 0.97, "claimed_precision": 1.0}}


def draw_ablation(record: DatasetRecord, experiments: pd.DataFrame) -> Figure:
    """Draw what is left of the claim as each flaw is taken away."""
    rows = [row for row in read_variants(experiments) if row["variant"] in ("published", *ABLATION)]
    return figures.draw_ablation(rows, choose_stamp(record), metric="auc")


def draw_experiments(record: DatasetRecord, experiments: pd.DataFrame) -> Figure:
    """Draw recall and precision on malignant cases of the six experiments: the article's closing chart."""
    rows = _list_experiments(experiments)
    return figures.draw_experiment_chart(rows, choose_stamp(record), positive="malignant")


def write_ablation_report(
    record: DatasetRecord,
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
    record: DatasetRecord,
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
    section = Section(title="Right and wrong, experiment by experiment", figures=tuple(matrices))
    return {"figures": figures, "sections": {"matrices": section}}


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

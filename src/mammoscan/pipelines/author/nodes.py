"""Nodes that put an article's variants and claims into tables."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.datasets import Bundle
from mammoscan.number_format import format_share_measure
from mammoscan.pipelines.reporting.nodes import choose_stamp
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.section import Section, Table
from mammoscan.reporting.variants import MEASURES, VARIANTS, list_experiments, read_variants
from mammoscan.studies import ABLATION


def tabulate_variants(**results: Any) -> pd.DataFrame:
    """Put the variants of an article's study into one table.

    Args:
        results: For each variant ``<name>_results`` with ``metrics`` and ``histories``, or the two by themselves. Of
            several folds the first one's best epoch counts.

    Returns:
        A row a variant: its key and name, images and patients tested, best epoch, each measure with its interval.
    """
    rows = []
    for key in VARIANTS:
        parts = results.get(f"{key}_results") or {
            name: results.get(f"{key}_{name}") for name in ("metrics", "histories")
        }
        if parts["metrics"] is None:
            continue
        measured = parts["metrics"]["cnn"]
        row: dict[str, Any] = {
            "variant": key,
            "name": VARIANTS[key],
            "images": measured["samples"],
            "patients": measured["patients"],
            "best_epoch": parts["histories"].best_epochs[0],
        }
        for name in MEASURES:
            row |= {name: measured[name]["value"]}
            row |= {f"{name}_low": measured[name]["low"], f"{name}_high": measured[name]["high"]}
        rows.append(row)
    return pd.DataFrame(rows)


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
        ("Recall on malignant", "97 %", format_share_measure(published["sensitivity"]), ""),
        ("Precision on malignant", "100 %", format_share_measure(published["precision"]), ""),
        (
            "Accuracy unbalanced, without copies, 275 epochs",
            "about 90 %",
            format_share_measure(side["accuracy"]),
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
            format_share_measure(best["sensitivity"]),
            "",
        ),
        (
            "Precision on malignant, calcifications class-balanced",
            "100 %",
            format_share_measure(best["precision"]),
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


def draw_ablation(record: DatasetRecord, experiments: pd.DataFrame) -> Figure:
    """Draw what is left of the claim as each flaw is taken away."""
    rows = [row for row in read_variants(experiments) if row["variant"] in ("published", *ABLATION)]
    return figures.draw_ablation(rows, choose_stamp(record), metric="auc")


def draw_experiments(record: DatasetRecord, experiments: pd.DataFrame) -> Figure:
    """Draw recall and precision on malignant cases of the six experiments: the article's closing chart."""
    rows = list_experiments(experiments)
    return figures.draw_experiment_chart(rows, choose_stamp(record), positive="malignant")


def draw_severity_counts(record: DatasetRecord, by_class: Bundle, fully: Bundle) -> Figure:
    """Draw the severities of each class before balancing, class-balanced and fully balanced, as the article does."""
    return figures.draw_severity_counts(by_class["class_counts"], fully["class_counts"], choose_stamp(record))


def describe_severities(by_class: Bundle, fully: Bundle) -> Section:
    """Put the same counts into a section of the report, with the figure."""
    counts = by_class["class_counts"].merge(
        fully["class_counts"][["group", "severity", "after"]],
        on=["group", "severity"],
        suffixes=("", "_full"),
    )
    rows = [
        (
            str(row["group"]),
            str(row["severity"]),
            int(row["before"]),
            int(row["after"]),
            int(row["after_full"]),
        )
        for row in counts.to_dict("records")
    ]
    table = Table(
        caption="Images of each class and severity",
        columns=("class", "severity", "before", "class-balanced", "fully balanced"),
        rows=tuple(rows),
    )
    return Section(
        title="Severities before and after balancing", tables=(table,), figures=("severity_counts",)
    )

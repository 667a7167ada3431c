from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.evaluate import nodes
from mammoscan.pipelines.graph import MEASURING, REPORT, place_in_the_open
from mammoscan.pipelines.reporting.pipeline import (
    SCORES,
    create_score_measures,
    create_score_page,
    create_score_steps,
    describe_score_inputs,
)

NAME = "evaluate"


def create_pipeline() -> Pipeline:
    """Return what takes a table of truth and scores to a study's report; it needs neither images nor a network."""
    steps = [
        Node(nodes.settle_question, "params:evaluate", ["question", "evaluation"], name="settle_question"),
        Node(
            nodes.read_scores,
            ["params:evaluate", "question"],
            ["raw", "predictions", "other_predictions", "samples", "rejected"],
            name="read_scores",
        ),
        *create_score_steps(),
        Node(
            nodes.compare_tables,
            ["predictions", "other_predictions", "question", "params:evaluate", "evaluation"],
            "comparison",
            name="compare_tables",
        ),
    ]
    measures = [
        *create_score_measures(),
        Node(
            nodes.measure_subgroups,
            ["predictions", "samples", "question", "params:evaluate", "evaluation"],
            "subgroup_metrics",
            name="measure_subgroups",
        ),
        Node(nodes.measure_thresholds, list(SCORES), "trust", name="measure_thresholds"),
    ]
    page = [
        *create_score_page(),
        Node(
            nodes.draw_calibration,
            ["raw", "trust", "question"],
            "calibration_figure",
            name="draw_calibration",
        ),
        Node(
            nodes.write_threshold_section,
            ["trust", "question"],
            "trust_section",
            name="write_threshold_section",
        ),
        Node(
            nodes.write_comparison_section,
            "comparison",
            "comparison_section",
            name="write_comparison_section",
        ),
        Node(
            nodes.write_report,
            describe_score_inputs(["calibration"], ["trust", "comparison"]),
            "report",
            name="write_report",
        ),
    ]
    return (
        place_in_the_open(steps, NAME)
        + place_in_the_open(measures, NAME, MEASURING)
        + place_in_the_open(page, NAME, REPORT)
    )

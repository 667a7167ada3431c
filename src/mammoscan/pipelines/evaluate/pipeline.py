from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.evaluate import nodes
from mammoscan.pipelines.graph import MEASURING, REPORT, place_in_the_open
from mammoscan.pipelines.reporting import nodes as reporting
from mammoscan.pipelines.reporting.pipeline import draw, name_parts

NAME = "evaluate"
MEASURED = ("predictions", "question", "evaluation")


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
        Node(
            reporting.report_classification,
            list(MEASURED),
            "classification_report",
            name="report_classification",
        ),
        Node(
            reporting.draw_confusion_matrix,
            ["raw", *MEASURED],
            "confusion_matrix_figure",
            name="draw_confusion_matrix",
        ),
        Node(
            nodes.compare_tables,
            ["predictions", "other_predictions", "question", "params:evaluate", "evaluation"],
            "comparison",
            name="compare_tables",
        ),
    ]
    measures = [
        Node(reporting.measure_predictions, list(MEASURED), "metrics", name="measure_predictions"),
        Node(reporting.measure_calibration, list(MEASURED), "calibration", name="measure_calibration"),
        Node(
            nodes.measure_subgroups,
            ["predictions", "samples", "question", "params:evaluate", "evaluation"],
            "subgroup_metrics",
            name="measure_subgroups",
        ),
        Node(nodes.measure_thresholds, list(MEASURED), "trust", name="measure_thresholds"),
    ]
    figures = [
        draw("roc", "predictions", "question", "metrics"),
        draw("precision_recall", "predictions", "question", "metrics"),
        draw("metric_intervals", "metrics"),
        draw("reliability", "calibration", "question"),
        Node(
            nodes.draw_calibration,
            ["raw", "trust", "question"],
            "calibration_figure",
            name="draw_calibration",
        ),
    ]
    drawn = [node.name.removeprefix("draw_") for node in figures]
    page = [
        Node(
            reporting.tabulate_classification,
            list(MEASURED),
            ["classification_report_text", "classification_table"],
            name="tabulate_classification",
        ),
        Node(reporting.tabulate_confusion, list(MEASURED), "confusion_counts", name="tabulate_confusion"),
        *figures,
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
            {
                "record": "raw",
                "run_info": "params:run.info",
                "question": "question",
                "evaluation": "evaluation",
                "metrics": "metrics",
                "predictions": "predictions",
                "rejected": "rejected",
                "classification": "classification_report",
                "calibration": "calibration",
                "subgroups": "subgroup_metrics",
            }
            | {
                name: name
                for name in name_parts(["confusion_matrix", *drawn], ["trust", "comparison"])
                if name != "network_summary"
            },
            "report",
            name="write_report",
        ),
    ]
    return (
        place_in_the_open(steps, NAME)
        + place_in_the_open(measures, NAME, MEASURING)
        + place_in_the_open(page, NAME, REPORT)
    )

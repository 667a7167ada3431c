from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import FOLDS, MEASURING, REPORT, join_boxes, place_nodes
from mammoscan.pipelines.reporting import nodes
from mammoscan.studies import Study

MEASURED = ("predictions", "params:question", "params:evaluation")
# What the page gathers from the folds.
PARTS = ("explanations",)
# Tables of the report, to copy and to keep as files.
TABLES = ("classification_report_text", "classification_table", "confusion_counts", "network_summary")


def create_measuring(study: Study, box: str = "") -> Pipeline:
    """Return what every study and every variant of one is measured by.

    Args:
        study: Which is measured.
        box: The box that holds all of it; none for the study that a pipeline is named for.
    """
    measures = [
        Node(nodes.measure_predictions, list(MEASURED), "metrics", name="measure_predictions"),
        Node(
            nodes.audit_leaks,
            ["raw", "samples", "pixels", "folds", "params:split"],
            "leak_audit",
            name="audit_leaks",
        ),
    ]
    steps = [
        Node(
            nodes.report_classification,
            list(MEASURED),
            "classification_report",
            name="report_classification",
        ),
        Node(
            nodes.draw_confusion_matrix_of(study.name),
            ["raw", *MEASURED],
            "confusion_matrix_figure",
            name="draw_confusion_matrix",
        ),
    ]
    tables = [
        Node(
            nodes.tabulate_classification,
            list(MEASURED),
            ["classification_report_text", "classification_table"],
            name="tabulate_classification",
        ),
        Node(nodes.tabulate_confusion, list(MEASURED), "confusion_counts", name="tabulate_confusion"),
    ]
    return (
        place_nodes(measures, study, box=join_boxes(box, MEASURING))
        + place_nodes(steps, study, box=box)
        + place_nodes(tables, study, box=box or REPORT)
    )


def create_page(study: Study, figures: Iterable[str] = (), sections: Iterable[str] = ()) -> Pipeline:
    """Return the figures of a study, its checklist, and the page that holds them.

    Args:
        study: Whose page it is.
        figures: Names of the study's own figures: other nodes draw their entries ``<study>.<name>_figure``.
        sections: Names of its own sections, entries ``<study>.<name>_section``.
    """
    subgroups = Node(
        nodes.measure_subgroups,
        ["predictions", "samples", "params:question", "params:evaluation"],
        "subgroup_metrics",
        name="measure_subgroups",
    )
    decisions = Node(
        nodes.measure_decision_curve, list(MEASURED), "decision_curve", name="measure_decision_curve"
    )
    counts = [
        Node(
            nodes.count_flow,
            ["raw", "rejected", "samples", "folds", "params:question"],
            "flow",
            name="count_flow",
        ),
        Node(nodes.plan_sample_size, list(MEASURED), "sample_size", name="plan_sample_size"),
    ]
    steps = [
        Node(nodes.measure_calibration, list(MEASURED), "calibration", name="measure_calibration"),
        draw("roc", "predictions", "params:question", "metrics"),
        draw("precision_recall", "predictions", "params:question", "metrics"),
        draw("metric_intervals", "metrics"),
        draw("reliability", "calibration", "params:question"),
        draw("decision_curve", "decision_curve"),
        draw("sample_flow", "flow"),
        Node(nodes.write_flow_section, ["flow", "sample_size"], "flow_section", name="write_flow_section"),
        Node(
            nodes.write_decision_curve_section,
            "decision_curve",
            "decision_curve_section",
            name="write_decision_curve_section",
        ),
        draw("training_curves", "params:split", "histories"),
        draw("class_counts", "class_counts", "params:training"),
        draw("sample_sheet", "pixels", "samples", "folds"),
        draw("views", "pixels", "folds", "params:views"),
        draw("augmented", "pixels", "folds", "params:training", "params:views"),
        draw(
            "wrong_gallery",
            *("pixels", "predictions", "samples", "params:question", "params:evaluation"),
            "fold_results",
        ),
        draw(
            "answer_gallery",
            *("pixels", "predictions", "samples", "params:question", "params:evaluation"),
        ),
        draw("topology", "network", "params:question"),
    ]
    known = ["metrics", "leak_audit", "histories", "flow", "sample_size", "decision_curve", "calibration"]
    # Where a final model is trained, more is known of it.
    sections = tuple(sections)
    known += [name for name in ("trust", "repeats") if name in sections]
    steps.append(
        Node(
            nodes.write_checklist,
            {
                "record": "raw",
                "run_info": "params:run.info",
                **{
                    name: f"params:{name}"
                    for name in ("question", "evaluation", "training", "views", "split")
                },
                "subgroups": "subgroup_metrics",
                **{name: name for name in known},
            },
            ["checklist", "checklist_section"],
            name="write_checklist",
        )
    )
    shown = [
        "confusion_matrix",
        *figures,
        *(node.name.removeprefix("draw_") for node in steps if node.name.startswith("draw_")),
    ]
    steps.append(
        Node(
            nodes.write_report,
            describe_inputs()
            | {
                "predictions": "predictions",
                "samples": "samples",
                "pixels": "pixels",
                "fold_results": "fold_results",
                "classification": "classification_report",
                "calibration": "calibration",
                "subgroups": "subgroup_metrics",
                "views": "params:views",
                "checklist": "checklist",
            }
            | name_parts(shown, ("decision_curve", *sections, "flow", "checklist")),
            "report",
            name="write_report",
        )
    )
    return (
        place_nodes([subgroups], study, box=MEASURING)
        + create_explanations(study)
        # What the page alone reads stays in its box: the graph's first screen is full.
        + place_nodes([decisions, *counts, *steps], study, box=REPORT)
    )


def create_explanations(study: Study) -> Pipeline:
    """Return what explains each fold's wrong predictions by the model that made them."""
    fold = Node(
        nodes.explain_errors,
        [
            *("model", "samples", "pixels", "predictions"),
            *("params:question", "params:evaluation", "params:training", "params:views"),
        ],
        "explanations",
        name="explain_errors",
    )
    gather = Node(
        nodes.gather_explanations,
        [
            *("fold_predictions", "params:question", "params:evaluation"),
            *(f"fold_{number}.explanations" for number in range(study.folds)),
        ],
        "explanations",
        name="gather_explanations",
    )
    folds = (
        place_nodes([fold], study, box=join_boxes(FOLDS, f"fold_{number}"), fold=number)
        for number in range(study.folds)
    )
    return sum(folds, start=place_nodes([gather], study, box=FOLDS))


def name_parts(figures: Iterable[str], sections: Iterable[str] = ()) -> dict[str, str]:
    """Return what a report shows as it takes it: under the names of entries, so that no argument is shadowed."""
    names = [*(f"{name}_figure" for name in figures), *(f"{name}_section" for name in sections), *TABLES]
    return {name: name for name in names}


def describe_inputs() -> dict[str, str]:
    """Return what every report takes: the required fields of ``ReportInputs`` and their entries."""
    return {
        "record": "raw",
        "run_info": "params:run.info",
        "question": "params:question",
        "evaluation": "params:evaluation",
        "training": "params:training",
        "metrics": "metrics",
        "leak_audit": "leak_audit",
        "class_counts": "class_counts",
        "rejected": "rejected",
        "histories": "histories",
    }


def draw(figure: str, *inputs: str) -> Node:
    """Return the node that draws a figure; every one takes the data set's record first."""
    return Node(getattr(nodes, f"draw_{figure}"), ["raw", *inputs], f"{figure}_figure", name=f"draw_{figure}")


SCORES = ("predictions", "question", "evaluation")
# The figures of scores whose training is not at hand.
SCORE_FIGURES = ("roc", "precision_recall", "metric_intervals", "reliability", "decision_curve")


def create_score_steps() -> list[Node]:
    """Return what stands in the open where predictions come without a training; the question is an entry there."""
    return [
        Node(
            nodes.report_classification, list(SCORES), "classification_report", name="report_classification"
        ),
        Node(
            nodes.draw_confusion_matrix,
            ["raw", *SCORES],
            "confusion_matrix_figure",
            name="draw_confusion_matrix",
        ),
    ]


def create_score_measures() -> list[Node]:
    """Return what measures such predictions."""
    return [
        Node(nodes.measure_predictions, list(SCORES), "metrics", name="measure_predictions"),
        Node(nodes.measure_calibration, list(SCORES), "calibration", name="measure_calibration"),
        Node(nodes.measure_decision_curve, list(SCORES), "decision_curve", name="measure_decision_curve"),
    ]


def create_score_page() -> list[Node]:
    """Return the tables and figures of such predictions."""
    return [
        Node(
            nodes.tabulate_classification,
            list(SCORES),
            ["classification_report_text", "classification_table"],
            name="tabulate_classification",
        ),
        Node(nodes.tabulate_confusion, list(SCORES), "confusion_counts", name="tabulate_confusion"),
        draw("roc", "predictions", "question", "metrics"),
        draw("precision_recall", "predictions", "question", "metrics"),
        draw("metric_intervals", "metrics"),
        draw("reliability", "calibration", "question"),
        draw("decision_curve", "decision_curve"),
        Node(
            nodes.write_decision_curve_section,
            "decision_curve",
            "decision_curve_section",
            name="write_decision_curve_section",
        ),
    ]


def describe_score_inputs(figures: Iterable[str] = (), sections: Iterable[str] = ()) -> dict[str, str]:
    """Return what the report on such predictions takes, with figures and sections of its own."""
    inputs = {
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
    parts = name_parts(("confusion_matrix", *SCORE_FIGURES, *figures), ("decision_curve", *sections))
    return inputs | {name: entry for name, entry in parts.items() if name != "network_summary"}

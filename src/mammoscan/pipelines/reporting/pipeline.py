from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.reporting import nodes
from mammoscan.studies import Study

MEASURED = ("predictions", "params:question", "params:evaluation")


def create_measuring(study: Study) -> Pipeline:
    """Return what every study and every variant of one is measured by."""
    steps = [
        Node(nodes.measure_predictions, list(MEASURED), "metrics", name="measure_predictions"),
        Node(
            nodes.audit_leaks,
            ["raw", "samples", "pixels", "folds", "params:split"],
            "leak_audit",
            name="audit_leaks",
        ),
        Node(
            nodes.report_classification,
            list(MEASURED),
            ["classification_report_text", "classification_report", "classification_table"],
            name="report_classification",
        ),
        Node(nodes.tabulate_confusion, list(MEASURED), "confusion_counts", name="tabulate_confusion"),
        Node(
            nodes.draw_confusion_matrix,
            ["raw", "confusion_counts"],
            "confusion_matrix_figure",
            name="draw_confusion_matrix",
        ),
    ]
    return wrap(study, steps)


def create_page(study: Study, figures: Iterable[str] = (), sections: Iterable[str] = ()) -> Pipeline:
    """Return the figures of a study and the page that holds them.

    Args:
        study: Whose page it is.
        figures: Names of the study's own figures: other nodes draw their entries ``<study>.<name>_figure``.
        sections: Names of its own sections, entries ``<study>.<name>_section``.
    """
    histories = [f"fold_{number}.history" for number in range(study.folds)]
    steps = [
        Node(nodes.measure_calibration, list(MEASURED), "calibration", name="measure_calibration"),
        Node(
            nodes.measure_subgroups,
            ["predictions", "samples", "params:question", "params:evaluation"],
            "subgroup_metrics",
            name="measure_subgroups",
        ),
        draw("roc", "predictions", "params:question", "metrics"),
        draw("precision_recall", "predictions", "params:question", "metrics"),
        draw("metric_intervals", "metrics"),
        draw("reliability", "calibration", "params:question"),
        draw("training_curves", "params:split", *histories),
        draw("class_counts", "class_counts", "params:training"),
        draw("sample_sheet", "pixels", "samples", "folds"),
        draw("views", "pixels", "folds", "params:views"),
        Node(
            nodes.explain_errors,
            [
                *("samples", "pixels", "predictions", "params:question", "params:evaluation"),
                *("params:training", "params:views"),
                *(f"fold_{number}.model" for number in range(study.folds)),
            ],
            ["explained", "explanations"],
            name="explain_errors",
        ),
        draw(
            "wrong_gallery",
            *("pixels", "predictions", "samples", "params:question", "params:evaluation"),
            *("explained", "explanations"),
        ),
        draw(
            "answer_gallery",
            *("pixels", "predictions", "samples", "params:question", "params:evaluation"),
        ),
        draw("topology", "network", "params:question"),
    ]
    shown = [
        "confusion_matrix",
        *figures,
        *(node.name.removeprefix("draw_") for node in steps if node.name.startswith("draw_")),
    ]
    steps += [
        Node(nodes.gather_histories, histories, "training_facts", name="gather_histories"),
        Node(
            nodes.write_report,
            describe_inputs()
            | {
                "predictions": "predictions",
                "samples": "samples",
                "pixels": "pixels",
                "explained": "explained",
                "explanations": "explanations",
                "classification": "classification_report",
                "calibration": "calibration",
                "subgroups": "subgroup_metrics",
                "views": "params:views",
            }
            | name_parts(shown, sections),
            "report",
            name="write_report",
        ),
    ]
    return wrap(study, steps)


def name_parts(figures: Iterable[str], sections: Iterable[str] = ()) -> dict[str, str]:
    """Return what a report shows as it takes it: under the names of entries, so that no argument is shadowed."""
    names = [*(f"{name}_figure" for name in figures), *(f"{name}_section" for name in sections)]
    return {name: name for name in names}


def describe_inputs() -> dict[str, str]:
    """Return what every report takes: the required fields of ``ReportInputs`` and their entries."""
    return {
        "record": "raw",
        "run_info": "run_info",
        "question": "params:question",
        "evaluation": "params:evaluation",
        "training": "params:training",
        "metrics": "metrics",
        "leak_audit": "leak_audit",
        "class_counts": "class_counts",
        "rejected": "rejected",
        "histories": "training_facts",
    }


def draw(figure: str, *inputs: str) -> Node:
    """Return the node that draws a figure; every one takes the data set's record first."""
    return Node(getattr(nodes, f"draw_{figure}"), ["raw", *inputs], f"{figure}_figure", name=f"draw_{figure}")


def wrap(study: Study, steps: list[Node]) -> Pipeline:
    """Return the nodes in a study's namespace, reading its data set."""
    base = Pipeline(steps)
    shared = {name: f"{study.dataset}.{name}" for name in ("raw", "scans")} | {"run_info": "run_info"}
    shared = {name: entry for name, entry in shared.items() if name in base.inputs()}
    return Pipeline(base, namespace=study.name, inputs=shared)

from __future__ import annotations

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.author import nodes
from mammoscan.pipelines.graph import REPORT, VARIANTS, place_nodes
from mammoscan.pipelines.modelling.nodes import gather_results
from mammoscan.pipelines.reporting.nodes import write_report
from mammoscan.pipelines.reporting.pipeline import TABLES, describe_inputs, draw, name_parts
from mammoscan.studies import ABLATION, EXPERIMENTS, SIDE_CLAIM, STUDIES, Study

# What a variant leaves; the graph shows one shape for it.
RESULTS = (
    *("rejected", "histories", "network", "class_counts", "metrics", "leak_audit"),
    *("classification_report", "confusion_matrix_figure", *TABLES),
)


def create_results(study: Study, box: str) -> Pipeline:
    """Return what puts all that a variant left under one name."""
    node = Node(gather_results, {name: name for name in RESULTS}, "results", name="gather_results")
    return place_nodes([node], study, box=box)


def create_ablation_page() -> Pipeline:
    """Return the article's page on calcifications: its number, its worth, its flaws taken away one at a time."""
    study = STUDIES["mias_author"]
    figures = [
        "roc",
        "metric_intervals",
        "training_curves",
        "class_counts",
        "sample_sheet",
        "views",
        "topology",
    ]
    base = [
        Node(
            nodes.tabulate_reproduction,
            ["raw", "class_counts", "leak_audit", "experiments"],
            "reproduction",
            name="tabulate_reproduction",
        ),
        Node(nodes.draw_ablation, ["raw", "experiments"], "ablation_figure", name="draw_ablation"),
        draw("roc", "predictions", "params:question", "metrics"),
        draw("metric_intervals", "metrics"),
        draw("training_curves", "params:split", "histories"),
        draw("class_counts", "class_counts", "params:training"),
        draw("sample_sheet", "pixels", "samples", "folds"),
        draw("views", "pixels", "folds", "params:views"),
        draw("topology", "network", "params:question"),
        Node(
            write_report,
            describe_inputs()
            | {
                "predictions": "predictions",
                "samples": "samples",
                "pixels": "pixels",
                "views": "params:views",
                "classification": "classification_report",
                "experiments": "experiments",
                "reproduction": "reproduction",
            }
            | name_parts(["confusion_matrix", "ablation", *figures]),
            "report",
            name="write_report",
        ),
    ]
    return place_nodes(
        [_tabulate("published", "", (*ABLATION, SIDE_CLAIM))], study, box=VARIANTS
    ) + place_nodes(base, study, box=REPORT)


def create_experiments_page() -> Pipeline:
    """Return the article's closing chart: six experiments on one page."""
    study = Study("mias_author_all", "mias", "author", 1)
    first, *others = EXPERIMENTS
    inputs = describe_inputs()
    of_first = ("metrics", "leak_audit", "class_counts", "rejected", "histories", "network", *TABLES)
    inputs |= {name: f"{first}.{name}" for name in (*of_first, "classification_report")}
    inputs |= {name: f"params:{first}.{name}" for name in ("question", "evaluation")}
    inputs[f"confusion_matrix_{first}_figure"] = f"{first}.confusion_matrix_figure"
    inputs |= {f"{name}_results": f"{name}.results" for name in others}
    base = [
        Node(nodes.tabulate_comparisons, "experiments", "reproduction", name="tabulate_reproduction"),
        Node(
            nodes.draw_experiments, ["raw", "experiments"], "experiment_chart_figure", name="draw_experiments"
        ),
        Node(
            nodes.draw_severity_counts,
            ["raw", "all_classes_class.results", "all_classes_full.results"],
            "severity_counts_figure",
            name="draw_severity_counts",
        ),
        Node(
            nodes.describe_severities,
            ["all_classes_class.results", "all_classes_full.results"],
            "severities_section",
            name="describe_severities",
        ),
        Node(
            write_report,
            inputs
            | {
                "experiments": "experiments",
                "reproduction": "reproduction",
                "experiment_chart_figure": "experiment_chart_figure",
                "severity_counts_figure": "severity_counts_figure",
                "severities_section": "severities_section",
            },
            "report",
            name="write_report",
        ),
    ]
    return place_nodes([_tabulate(first, f"{first}.", others)], study, box=VARIANTS) + place_nodes(
        base, study, box=REPORT
    )


def _tabulate(main: str, within: str, others: Sequence[str]) -> Node:
    """Return the node that compares variants.

    Args:
        main: The variant whose results stand in the open.
        within: The prefix of its entries inside the study.
        others: The variants whose results are gathered.
    """
    inputs = {f"{main}_{name}": f"{within}{name}" for name in ("metrics", "histories")}
    inputs |= {f"{name}_results": f"{name}.results" for name in others}
    return Node(nodes.tabulate_variants, inputs, "experiments", name="tabulate_variants")

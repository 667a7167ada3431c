from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.author import nodes
from mammoscan.pipelines.reporting.nodes import gather_histories, write_report
from mammoscan.pipelines.reporting.pipeline import describe_inputs, draw, name_parts, wrap
from mammoscan.studies import ABLATION, EXPERIMENTS, SIDE_CLAIM, STUDIES, Study


def create_ablation_page() -> Pipeline:
    """Return the article's page on calcifications: its number, its worth, its flaws taken away one at a time."""
    study = STUDIES["mias_author"]
    variants = {"published": study.name} | {name: f"{study.name}.{name}" for name in (*ABLATION, SIDE_CLAIM)}
    figures = [
        "roc",
        "metric_intervals",
        "training_curves",
        "class_counts",
        "sample_sheet",
        "views",
        "topology",
    ]
    histories = [f"fold_{number}.history" for number in range(study.folds)]
    base = [
        _tabulate(variants, study),
        Node(
            nodes.tabulate_reproduction,
            ["raw", "class_counts", "leak_audit", "experiments"],
            "reproduction",
            name="tabulate_reproduction",
        ),
        Node(nodes.draw_ablation, ["raw", "experiments"], "ablation_figure", name="draw_ablation"),
        draw("roc", "predictions", "params:question", "metrics"),
        draw("metric_intervals", "metrics"),
        draw("training_curves", "params:split", *histories),
        draw("class_counts", "class_counts", "params:training"),
        draw("sample_sheet", "pixels", "samples", "folds"),
        draw("views", "pixels", "folds", "params:views"),
        draw("topology", "network", "params:question"),
        Node(gather_histories, histories, "training_facts", name="gather_histories"),
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
    return wrap(study, base)


def create_experiments_page() -> Pipeline:
    """Return the article's closing chart: six experiments on one page."""
    study = Study("mias_author_all", "mias", "author", 1)
    variants = {name: f"{study.name}.{name}" for name in EXPERIMENTS}
    inputs = describe_inputs()
    for name in ("metrics", "leak_audit", "class_counts", "rejected"):
        inputs[name] = f"{EXPERIMENTS[0]}.{name}"
    for name in ("question", "evaluation"):
        inputs[name] = f"params:{EXPERIMENTS[0]}.{name}"
    matrices = {f"confusion_matrix_{name}_figure": f"{name}.confusion_matrix_figure" for name in EXPERIMENTS}
    base = [
        _tabulate(variants, study),
        Node(nodes.tabulate_comparisons, "experiments", "reproduction", name="tabulate_reproduction"),
        Node(
            nodes.draw_experiments, ["raw", "experiments"], "experiment_chart_figure", name="draw_experiments"
        ),
        Node(gather_histories, f"{EXPERIMENTS[0]}.fold_0.history", "training_facts", name="gather_histories"),
        Node(
            write_report,
            inputs
            | {
                "experiments": "experiments",
                "reproduction": "reproduction",
                "experiment_chart_figure": "experiment_chart_figure",
                **matrices,
            },
            "report",
            name="write_report",
        ),
    ]
    return wrap(study, base)


def _tabulate(variants: dict[str, str], study: Study) -> Node:
    """Return the node that compares variants; their entries are named as seen from inside the study."""
    inputs: dict[str, str] = {}
    for key, name in variants.items():
        inside = name.removeprefix(study.name).lstrip(".")
        prefix = f"{inside}." if inside else ""
        inputs |= {f"{key}_metrics": f"{prefix}metrics", f"{key}_history": f"{prefix}fold_0.history"}
    return Node(nodes.tabulate_variants, inputs, "experiments", name="tabulate_variants")

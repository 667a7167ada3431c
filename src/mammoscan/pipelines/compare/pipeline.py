from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.compare.nodes import (
    compare_runs,
    draw_compared_roc,
    draw_compared_training,
    open_runs,
    write_comparison,
)
from mammoscan.pipelines.graph import place_in_the_open


def create_pipeline() -> Pipeline:
    """Return what reads finished runs from MLflow, tests their differences and writes a page."""
    nodes = [
        Node(open_runs, "params:compare", ["runs", "run_predictions"], name="open_runs"),
        Node(compare_runs, ["runs", "run_predictions", "params:compare"], "run_pairs", name="compare_runs"),
        Node(draw_compared_roc, ["runs", "run_predictions"], "roc_figure", name="draw_compared_roc"),
        Node(draw_compared_training, "runs", "training_figure", name="draw_compared_training"),
        Node(
            write_comparison,
            ["runs", "run_pairs", "roc_figure", "training_figure", "params:compare"],
            "report",
            name="write_comparison",
        ),
    ]
    return place_in_the_open(nodes, "compare")

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.export.nodes import export_model
from mammoscan.pipelines.graph import place_in_the_open


def create_pipeline() -> Pipeline:
    """Return what writes a packaged model as ONNX."""
    nodes = [
        Node(
            export_model,
            ["params:export", "params:run.model_input_folder", "params:run.standalone_folder"],
            "parity",
            name="export_model",
        ),
    ]
    return place_in_the_open(nodes, "export")

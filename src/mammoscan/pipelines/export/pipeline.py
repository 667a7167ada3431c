from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.export.nodes import export_model


def create_pipeline() -> Pipeline:
    """Return what writes a packaged model as ONNX."""
    nodes = [
        Node(export_model, ["params:export", "model_input_folder"], "parity", name="export_model"),
    ]
    return Pipeline(nodes, namespace="export", parameters={"params:export": "params:export"})

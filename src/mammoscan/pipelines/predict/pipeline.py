from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import place_in_the_open
from mammoscan.pipelines.predict.nodes import open_model, predict_images, write_gallery


def create_pipeline() -> Pipeline:
    """Return what takes a folder of images to a table of answers and a page that shows them."""
    nodes = [
        Node(open_model, "params:predict", "packaged", name="open_model"),
        Node(
            predict_images,
            ["params:predict", "packaged"],
            ["answers", "answers_table", "scan_regions"],
            name="predict_images",
        ),
        Node(
            write_gallery,
            ["params:predict", "packaged", "answers", "scan_regions"],
            "gallery",
            name="write_gallery",
        ),
    ]
    return place_in_the_open(nodes, "predict")

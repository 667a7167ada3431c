from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import place_nodes
from mammoscan.pipelines.mias import create_data_pipeline
from mammoscan.pipelines.subsamples.nodes import write_subsamples
from mammoscan.studies import Study


def create_pipeline() -> Pipeline:
    """Return what writes the images that the article trained on as files."""
    node = Node(
        write_subsamples,
        ["raw", "notes", "malformed", "params:subsamples", "params:run.image_folder"],
        "files",
        name="write_subsamples",
    )
    block = {"params:subsamples": "params:subsamples"}
    data = create_data_pipeline("mias").to_outputs("mias.notes", "mias.malformed")
    return data + place_nodes([node], Study("subsamples", "mias", "author", 1), others=block)

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import place_in_the_open, place_nodes
from mammoscan.pipelines.images.nodes import (
    choose_images,
    count_census,
    index_images,
    index_own_images,
    open_own_images,
    open_source,
    pack_images,
)
from mammoscan.studies import Study


def create_data_pipeline(dataset: str) -> Pipeline:
    """Return what is done once for the data set, whichever study reads it."""
    nodes = [
        Node(
            open_source,
            ["params:source", "params:phantom", "params:unpack_limit_gb", "params:run.raw_folder"],
            "raw",
            name="open_source",
        ),
        Node(index_images, "raw", ["images", "malformed"], name="index_images"),
    ]
    return place_in_the_open(nodes, dataset)


def create_own_data_pipeline(study: str) -> Pipeline:
    """Return what is done once for images of one's own."""
    nodes = [
        Node(open_own_images, ["params:images", "params:run.raw_folder"], "raw", name="open_source"),
        Node(index_own_images, ["raw", "params:images"], ["images", "malformed"], name="index_images"),
    ]
    return place_in_the_open(nodes, study)


def create_samples_pipeline(study: Study, box: str = "") -> Pipeline:
    """Return what turns the data set into the samples of one study."""
    nodes = [
        Node(
            choose_images,
            ["images", "malformed", "params:question", "params:pack"],
            ["chosen", "left_out"],
            name="choose_images",
        ),
        Node(
            pack_images,
            ["raw", "chosen", "left_out", "params:pack", "params:run.pack_folder"],
            ["samples", "pixels", "rejected"],
            name="pack_images",
        ),
    ]
    if study.protocol == "author":
        nodes.append(Node(count_census, "chosen", "census", name="count_census"))
    return place_nodes(nodes, study, box=box)

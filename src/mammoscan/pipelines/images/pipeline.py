from __future__ import annotations

from kedro.pipeline import Node, Pipeline

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
    """Return what is done once for the data set, whatever is asked of it."""
    return Pipeline(
        [
            Node(
                open_source,
                ["params:source", "params:phantom", "params:unpack_limit_gb", "raw_folder"],
                "raw",
                name="open_source",
            ),
            Node(index_images, "raw", ["images", "malformed"], name="index_images"),
        ],
        namespace=dataset,
        prefix_datasets_with_namespace=True,
    )


def create_own_data_pipeline(study: str) -> Pipeline:
    """Return what is done once for images of one's own."""
    return Pipeline(
        [
            Node(open_own_images, ["params:images", "raw_folder"], "raw", name="open_source"),
            Node(index_own_images, ["raw", "params:images"], ["images", "malformed"], name="index_images"),
        ],
        namespace=study,
        prefix_datasets_with_namespace=True,
    )


def create_samples_pipeline(study: Study) -> Pipeline:
    """Return what turns the data set into the samples of one study."""
    census = Node(count_census, "chosen", "census", name="count_census")
    base = Pipeline(
        [
            Node(
                choose_images,
                ["images", "malformed", "params:question", "params:pack"],
                ["chosen", "left_out"],
                name="choose_images",
            ),
            *([census] if study.protocol == "author" else []),
            Node(
                pack_images,
                ["raw", "chosen", "left_out", "params:pack", "pack_folder"],
                ["samples", "pixels", "rejected"],
                name="pack_images",
            ),
        ]
    )
    shared = {name: f"{study.dataset}.{name}" for name in ("raw", "images", "malformed")}
    return Pipeline(base, namespace=study.name, inputs=shared)

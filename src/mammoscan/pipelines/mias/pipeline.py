from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.mias import nodes
from mammoscan.pipelines.mias.nodes import (
    choose_regions,
    choose_regions_as_author,
    clean_notes,
    count_census,
    open_source,
    standardise_scans,
    subsample_rois,
)
from mammoscan.studies import Study

FIGURES = ("scan_sheet", "place_map")


def create_data_pipeline(dataset: str) -> Pipeline:
    """Return what is done once for the data set, whatever is asked of it."""
    return Pipeline(
        [
            Node(
                open_source,
                [
                    "params:source",
                    "params:phantom",
                    "params:allow_modified",
                    "params:unpack_limit_gb",
                    "raw_folder",
                ],
                "raw",
                name="open_source",
            ),
            Node(clean_notes, "raw", ["notes", "malformed"], name="clean_notes"),
            Node(standardise_scans, ["raw", "params:grid"], "scans", name="standardise_scans"),
        ],
        namespace=dataset,
        prefix_datasets_with_namespace=True,
    )


def create_samples_pipeline(study: Study) -> Pipeline:
    """Return what turns the data set into the samples of one study."""
    choose = choose_regions if study.protocol == "patient" else choose_regions_as_author
    census = Node(count_census, ["notes", "malformed", "params:views"], "census", name="count_census")
    base = Pipeline(
        [
            *([census] if study.protocol == "author" else []),
            Node(
                choose,
                ["notes", "malformed", "params:question"],
                ["regions", "rejected"],
                name="choose_regions",
            ),
            Node(
                subsample_rois,
                ["raw", "scans", "regions", "params:crop", "params:views"],
                ["samples", "pixels"],
                name="subsample_rois",
            ),
        ]
    )
    shared = {name: f"{study.dataset}.{name}" for name in ("raw", "notes", "malformed", "scans")}
    return Pipeline(base, namespace=study.name, inputs=shared)


def create_figures_pipeline(study: Study) -> Pipeline:
    """Return what draws the figures that only mini-MIAS has; their names are ``FIGURES``."""
    base = Pipeline(
        [
            Node(
                nodes.draw_scan_sheet,
                ["raw", "scans", "samples", "folds"],
                "scan_sheet_figure",
                name="draw_scan_sheet",
            ),
            Node(
                nodes.draw_place_map, ["raw", "samples", "folds"], "place_map_figure", name="draw_place_map"
            ),
        ]
    )
    shared = {name: f"{study.dataset}.{name}" for name in ("raw", "scans")}
    return Pipeline(base, namespace=study.name, inputs=shared)

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import REPORT, place_in_the_open, place_nodes
from mammoscan.pipelines.mias.nodes import (
    choose_regions,
    choose_regions_as_author,
    clean_notes,
    count_census,
    draw_place_map,
    draw_scan_sheet,
    open_source,
    standardise_scans,
    subsample_rois,
)
from mammoscan.studies import Study

FIGURES = ("scan_sheet", "place_map")


def create_data_pipeline(dataset: str) -> Pipeline:
    """Return what is done once for the data set, whichever study reads it."""
    nodes = [
        Node(
            open_source,
            [
                "params:source",
                "params:phantom",
                "params:allow_modified",
                "params:unpack_limit_gb",
                "params:run.raw_folder",
            ],
            "raw",
            name="open_source",
        ),
        Node(clean_notes, "raw", ["notes", "malformed"], name="clean_notes"),
        Node(standardise_scans, ["raw", "params:grid"], "scans", name="standardise_scans"),
    ]
    return place_in_the_open(nodes, dataset)


def create_samples_pipeline(study: Study, box: str = "") -> Pipeline:
    """Return what turns the data set into the samples of one study."""
    choose = choose_regions if study.protocol == "patient" else choose_regions_as_author
    nodes = [
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
    if study.protocol == "author":
        nodes.append(
            Node(count_census, ["notes", "malformed", "params:views"], "census", name="count_census")
        )
    return place_nodes(nodes, study, box=box)


def create_figures_pipeline(study: Study) -> Pipeline:
    """Return what draws the figures that only mini-MIAS has; their names are ``FIGURES``."""
    nodes = [
        Node(
            draw_scan_sheet, ["raw", "scans", "samples", "folds"], "scan_sheet_figure", name="draw_scan_sheet"
        ),
        Node(draw_place_map, ["raw", "samples", "folds"], "place_map_figure", name="draw_place_map"),
    ]
    return place_nodes(nodes, study, box=REPORT)

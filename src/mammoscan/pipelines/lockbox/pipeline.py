from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import place_nodes
from mammoscan.pipelines.lockbox.nodes import (
    audit_lockbox,
    measure_lockbox,
    open_lockbox,
    record_opening,
    write_lockbox_report,
)
from mammoscan.studies import Study

MEASURED = ("params:question", "params:evaluation")


def create_pipeline(study: Study) -> Pipeline:
    """Return what tests a study's final model on its lockbox, and counts how often that was done."""
    nodes = [
        Node(
            open_lockbox,
            [
                "final.model",
                "samples",
                "pixels",
                "folds",
                *MEASURED,
                "params:training",
                "params:views",
                "params:train",
            ],
            ["lockbox.predictions", "lockbox.folds"],
            name="open_lockbox",
        ),
        Node(
            record_opening,
            ["final.model", "lockbox.predictions", "params:run.info"],
            "lockbox.openings",
            name="record_opening",
        ),
        Node(
            audit_lockbox,
            ["raw", "samples", "pixels", "lockbox.folds"],
            "lockbox.leak_audit",
            name="audit_lockbox",
        ),
        Node(
            measure_lockbox,
            ["lockbox.predictions", "trust", "lockbox.openings", *MEASURED],
            "lockbox.metrics",
            name="measure_lockbox",
        ),
        Node(
            write_lockbox_report,
            [
                "raw",
                "params:run.info",
                "lockbox.metrics",
                "lockbox.leak_audit",
                "lockbox.openings",
                "metrics",
                *MEASURED,
            ],
            "lockbox.report",
            name="write_lockbox_report",
        ),
    ]
    return place_nodes(nodes, study)

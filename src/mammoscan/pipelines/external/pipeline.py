from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.external import nodes
from mammoscan.pipelines.graph import MEASURING, REPORT, place_in_the_open
from mammoscan.pipelines.reporting.pipeline import (
    create_score_measures,
    create_score_page,
    create_score_steps,
    describe_score_inputs,
    draw,
)

NAME = "external"


def create_pipeline() -> Pipeline:
    """Return what takes a finished model and labelled images from elsewhere to a report."""
    steps = [
        Node(nodes.open_model, "params:external", ["packaged", "question", "evaluation"], name="open_model"),
        Node(
            nodes.open_images,
            ["params:external", "packaged", "params:run.raw_folder"],
            ["raw", "chosen", "left_out"],
            name="open_images",
        ),
        Node(
            nodes.predict_images,
            ["packaged", "raw", "chosen", "left_out"],
            ["samples", "pixels", "predictions", "rejected"],
            name="predict_images",
        ),
        Node(nodes.audit_images, ["packaged", "raw", "pixels"], "leak_audit", name="audit_images"),
        Node(
            nodes.measure_drift,
            ["packaged", "samples", "predictions", "metrics", "calibration"],
            "drift",
            name="measure_drift",
        ),
        *create_score_steps(),
    ]
    measures = [
        *create_score_measures(),
        Node(
            nodes.measure_subgroups,
            ["predictions", "samples", "question", "params:external", "evaluation"],
            "subgroup_metrics",
            name="measure_subgroups",
        ),
    ]
    page = [
        *create_score_page(),
        draw("answer_gallery", "pixels", "predictions", "samples", "question", "evaluation"),
        Node(
            nodes.write_external_section,
            ["packaged", "drift", "raw", "question"],
            "drift_section",
            name="write_external_section",
        ),
        Node(
            nodes.write_report,
            describe_score_inputs(["answer_gallery"], ["drift"])
            | {"leak_audit": "leak_audit", "samples": "samples", "pixels": "pixels"},
            "report",
            name="write_report",
        ),
    ]
    return (
        place_in_the_open(steps, NAME)
        + place_in_the_open(measures, NAME, MEASURING)
        + place_in_the_open(page, NAME, REPORT)
    )

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.audit import nodes
from mammoscan.pipelines.graph import place_in_the_open

NAME = "audit"


def create_pipeline() -> Pipeline:
    """Return what takes a table of paths and sides to a page on what they share, and to a corrected table."""
    steps = [
        Node(nodes.open_division, "params:audit", ["raw", "division"], name="open_division"),
        Node(
            nodes.pack_division,
            ["raw", "division", "params:audit", "params:run.pack_folder"],
            ["samples", "pixels", "rejected"],
            name="pack_division",
        ),
        Node(nodes.audit_division, ["raw", "samples", "pixels"], "leak_audit", name="audit_division"),
        Node(nodes.find_pairs, ["raw", "samples", "pixels", "leak_audit"], "pairs", name="find_pairs"),
        Node(
            nodes.correct_division,
            ["params:audit", "raw", "samples", "pixels", "leak_audit"],
            ["corrected_division", "corrected_audit"],
            name="correct_division",
        ),
        Node(
            nodes.write_page,
            [
                *("params:audit", "raw", "params:run.info", "samples", "pixels", "rejected"),
                *("leak_audit", "pairs", "corrected_division", "corrected_audit"),
            ],
            "report",
            name="write_page",
        ),
    ]
    return place_in_the_open(steps, NAME)

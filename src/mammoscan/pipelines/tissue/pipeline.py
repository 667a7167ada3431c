"""What each study of stained tissue adds to its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import REPORT, place_nodes
from mammoscan.pipelines.tissue import nodes
from mammoscan.studies import Study


@dataclass(frozen=True)
class OwnPage:
    """Figures and sections that a study adds to its page, and the nodes that make them."""

    figures: tuple[str, ...]
    sections: tuple[str, ...]
    nodes: Callable[[], Sequence[Node]]

    def create_pipeline(self, study: Study) -> Pipeline:
        """Return the nodes with the study's entries."""
        return place_nodes(self.nodes(), study, box=REPORT)


def _create_breakdown() -> list[Node]:
    return [
        Node(
            nodes.score_breakdown,
            ["predictions", "samples", "params:question", "params:evaluation"],
            "patient_scores",
            name="measure_breakdown",
        ),
        Node(
            nodes.describe_breakdown,
            ["patient_scores", "samples", "predictions", "params:evaluation"],
            "breakdown_section",
            name="describe_breakdown",
        ),
    ]


def _create_breakhis_claims() -> list[Node]:
    inputs = ["metrics", "histories", "folds", "leak_audit"]
    return [Node(nodes.describe_breakhis_claims, inputs, "claims_section", name="describe_breakhis_claims")]


def _create_listed_claims() -> list[Node]:
    inputs = ["metrics", "histories", "leak_audit", "params:split"]
    return [Node(nodes.describe_listed_claims, inputs, "claims_section", name="describe_listed_claims")]


def _create_patch_claims() -> list[Node]:
    inputs = ["metrics", "leak_audit", "params:split"]
    return [Node(nodes.describe_patch_claims, inputs, "claims_section", name="describe_patch_claims")]


def _create_chest_claims() -> list[Node]:
    inputs = ["metrics", "histories", "folds", "leak_audit", "params:question"]
    return [Node(nodes.describe_chest_claims, inputs, "claims_section", name="describe_chest_claims")]


def _create_maps() -> list[Node]:
    return [
        Node(
            nodes.draw_probability_map,
            ["raw", "predictions", "samples", "params:question"],
            "probability_map_figure",
            name="draw_probability_map",
        ),
        Node(
            nodes.describe_slides,
            ["predictions", "samples", "params:question"],
            "slides_section",
            name="describe_slides",
        ),
    ]


_BREAKDOWN = OwnPage((), ("breakdown",), _create_breakdown)
PAGES = {
    "breakhis": _BREAKDOWN,
    "breakhis_threefold": _BREAKDOWN,
    "breakhis_400x": _BREAKDOWN,
    "breakhis_author": OwnPage(
        (), ("claims", "breakdown"), lambda: [*_create_breakhis_claims(), *_create_breakdown()]
    ),
    "breakhis_400x_author": OwnPage(
        (), ("claims", "breakdown"), lambda: [*_create_listed_claims(), *_create_breakdown()]
    ),
    "idc": OwnPage(("probability_map",), ("slides",), _create_maps),
    "pneumonia_author": OwnPage((), ("claims",), _create_chest_claims),
    "idc_author": OwnPage((), ("claims",), _create_patch_claims),
}
"""By study: its own part of its page."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import FOLDS, REPORT, TRUST, join_boxes, place_nodes
from mammoscan.pipelines.trust import nodes
from mammoscan.reporting.trust_section import write_trust_section
from mammoscan.studies import Study

FIGURES = ("calibration",)
SECTIONS = ("trust",)
# What is gathered from the folds.
PARTS = ("out_of_distribution",)


def create_trust(study: Study) -> Pipeline:
    """Return what finds temperature, threshold and the out-of-distribution check, and measures all three."""
    features = ["features"] if study.uses_features else []
    tables = [f"fold_{number}.out_of_distribution" for number in range(study.folds)]
    fold = Node(
        nodes.measure_out_of_distribution,
        [
            *("model", "samples", "pixels", "rows"),
            *("params:training", "params:evaluation", "params:train", *features),
        ],
        "out_of_distribution",
        name="measure_out_of_distribution",
    )
    gather = Node(
        nodes.gather_out_of_distribution, tables, "out_of_distribution", name="gather_out_of_distribution"
    )
    fitted = [
        Node(
            nodes.fit_out_of_distribution,
            [
                *("final.model", "samples", "pixels", "folds"),
                *("params:training", "params:evaluation", "params:train", *features),
            ],
            "final.out_of_distribution",
            name="fit_out_of_distribution",
        ),
        Node(
            nodes.fingerprint_training,
            ["pixels", "folds"],
            "final.training_fingerprint",
            name="fingerprint_training",
        ),
        Node(
            nodes.measure_trust,
            ["predictions", "params:question", "params:evaluation", "fold_results"],
            "trust",
            name="measure_trust",
        ),
    ]
    told = [
        Node(
            nodes.draw_calibration,
            ["raw", "trust", "params:question"],
            "calibration_figure",
            name="draw_calibration",
        ),
        Node(
            write_trust_section,
            ["trust", "params:question"],
            "trust_section",
            name="write_trust_section",
        ),
    ]
    return (
        sum(
            (
                place_nodes([fold], study, box=join_boxes(FOLDS, f"fold_{number}"), fold=number)
                for number in range(study.folds)
            ),
            start=Pipeline([]),
        )
        + place_nodes([gather], study, box=FOLDS)
        + place_nodes(fitted, study, box=TRUST)
        + place_nodes(told, study, box=REPORT)
    )


def create_card(study: Study) -> Pipeline:
    """Return what writes the card of a study's packaged model."""
    images = study.dataset != "mias"
    describe, blocks = (
        (nodes.describe_images, ["params:pack"])
        if images
        else (nodes.describe_windows, ["params:crop", "params:grid"])
    )
    inputs = {
        "question": "params:question",
        "training": "params:training",
        "views": "params:views",
        "evaluation": "params:evaluation",
        "record": "raw",
        "run_info": "params:run.info",
        "model_input": "model_input",
        "samples": "samples",
        "folds": "folds",
        "metrics": "metrics",
        "leak_audit": "leak_audit",
        "histories": "histories",
    }
    if study.protocol == "patient":
        inputs |= {
            "final": "final.history",
            "trust": "trust",
            "reference": "final.out_of_distribution",
            "fingerprint": "final.training_fingerprint",
            "subgroups": "subgroup_metrics",
        }
    steps = [
        Node(describe, [*blocks, "pixels"], "model_input", name="describe_input"),
        Node(
            nodes.write_card,
            inputs,
            "card",
            name="write_card",
        ),
        Node(nodes.write_model_card, "card", "model_card", name="write_model_card"),
    ]
    return place_nodes(steps, study, box=TRUST if study.protocol == "patient" else REPORT)

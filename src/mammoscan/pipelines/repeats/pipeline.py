from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import FOLDS, REPORT, join_boxes, place_nodes
from mammoscan.pipelines.repeats import nodes
from mammoscan.studies import Study

SECTIONS = ("repeats",)
# What is gathered from the folds.
PARTS = ("repeat_predictions",)


def create_pipeline(study: Study) -> Pipeline:
    """Return what repeats a study's folds and reports the spread; where ``split.repeats`` is 0 nothing is trained."""
    features = ["features"] if study.uses_features else []
    fold = Node(
        nodes.repeat_fold,
        [
            *("samples", "pixels", "rows", "params:question", "params:training", "params:views"),
            *("params:split", "params:balance", "params:train", "params:run.training_folder", *features),
        ],
        "repeat_predictions",
        name="repeat_fold",
    )
    gather = Node(
        nodes.gather_repeats,
        [f"fold_{number}.repeat_predictions" for number in range(study.folds)],
        "repeat_predictions",
        name="gather_repeats",
    )
    told = [
        Node(
            nodes.measure_repeats,
            ["predictions", "params:question", "params:evaluation", "fold_results"],
            "repeats",
            name="measure_repeats",
        ),
        Node(nodes.write_repeats_section, "repeats", "repeats_section", name="write_repeats_section"),
    ]
    folds = (
        place_nodes([fold], study, box=join_boxes(FOLDS, f"fold_{number}"), fold=number)
        for number in range(study.folds)
    )
    return (
        sum(folds, start=Pipeline([]))
        + place_nodes([gather], study, box=FOLDS)
        + place_nodes(told, study, box=REPORT)
    )

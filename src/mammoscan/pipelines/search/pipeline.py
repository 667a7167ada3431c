from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines import modelling
from mammoscan.pipelines.graph import FOLDS, REPORT, join_boxes, place_nodes
from mammoscan.pipelines.search.nodes import (
    count_trainings,
    describe_search,
    draw_trials,
    gather_trials,
    predict_found,
    search_recipe,
    train_found,
)
from mammoscan.studies import Study

# What a search does in its own way; the procedure that is measured ends with the folds.
REPLACED = ("train_fold", "predict_fold", "train_final")
FIGURES, SECTIONS = ("trials",), ("search",)


def create_pipeline(study: Study, own: Study, parts: Iterable[str] = ()) -> Pipeline:
    """Return what takes a study from samples to predictions by recipes that are searched for in each fold.

    Args:
        study: Its ``training`` is the recipe that the search begins with.
        own: The study beside whose predictions, on the same folds, those of the search are set.
        parts: Entries that other pipelines gather from the folds, to be kept among the folds' results.
    """
    kept = [
        node
        for node in modelling.create_pipeline(study, parts=(*parts, "trials")).nodes
        if node.short_name not in REPLACED
    ]
    gather = Node(
        gather_trials,
        [f"fold_{number}.trials" for number in range(study.folds)],
        "trials",
        name="gather_trials",
    )
    plan = Node(count_trainings, ["params:search", "params:split"], "search_plan", name="count_trainings")
    told = [
        Node(draw_trials, ["raw", "fold_results", "params:search"], "trials_figure", name="draw_trials"),
        Node(
            describe_search,
            [
                "search_plan",
                "fold_results",
                "predictions",
                "own_predictions",
                "params:question",
                "params:evaluation",
                "params:search",
            ],
            "search_section",
            name="describe_search",
        ),
    ]
    return (
        Pipeline(kept)
        + place_nodes([plan], study)
        + place_nodes([gather], study, box=FOLDS)
        + place_nodes(told, study, box=REPORT, others={"own_predictions": f"{own.name}.predictions"})
        + sum((_create_fold(study, number) for number in range(study.folds)), start=Pipeline([]))
    )


def _create_fold(study: Study, number: int) -> Pipeline:
    used = ("question", "training", "views", "split", "balance", "search")
    nodes = [
        Node(
            search_recipe,
            [
                "samples",
                "pixels",
                "rows",
                *(f"params:{name}" for name in used),
                "params:train",
                "raw",
                "params:run.training_folder",
            ],
            ["recipe", "trials"],
            name="search_recipe",
        ),
        Node(
            train_found,
            [
                "samples",
                "pixels",
                "training_rows",
                "params:question",
                "recipe",
                "params:split",
                "params:train",
                "params:run.training_folder",
            ],
            ["model", "history"],
            name="train_fold",
        ),
        Node(
            predict_found,
            ["model", "samples", "pixels", "rows", "params:question", "recipe", "params:train"],
            "predictions",
            name="predict_fold",
        ),
    ]
    return place_nodes(nodes, study, box=join_boxes(FOLDS, f"fold_{number}"), fold=number)

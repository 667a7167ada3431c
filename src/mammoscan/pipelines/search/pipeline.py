from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines import modelling
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


def create_pipeline(study: Study, own: Study) -> Pipeline:
    """Return what takes a study from samples to predictions by recipes that are searched for in each fold.

    Args:
        study: Its ``training`` is the recipe that the search begins with.
        own: The study beside whose predictions, on the same folds, those of the search are set.
    """
    kept = [
        node
        for node in modelling.create_pipeline(study).nodes
        if node.name.rpartition(".")[2] not in REPLACED
    ]
    folds = [_create_fold(study, number) for number in range(study.folds)]
    base = Pipeline(
        [
            Node(count_trainings, ["params:search", "params:split"], "search_plan", name="count_trainings"),
            Node(
                gather_trials,
                [f"fold_{number}.trials" for number in range(study.folds)],
                "trials",
                name="gather_trials",
            ),
            Node(draw_trials, ["raw", "trials", "params:search"], "trials_figure", name="draw_trials"),
            Node(
                describe_search,
                [
                    "search_plan",
                    "trials",
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
    )
    inputs = {"raw": f"{study.dataset}.raw", "own_predictions": f"{own.name}.predictions"}
    return sum(folds, start=Pipeline(kept) + Pipeline(base, namespace=study.name, inputs=inputs))


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
                "trials_folder",
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
                "checkpoints",
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
    return Pipeline(
        nodes,
        namespace=f"{study.name}.fold_{number}",
        inputs={name: f"{study.name}.{name}" for name in ("samples", "pixels")}
        | {"raw": f"{study.dataset}.raw"},
        parameters={"params:train": "params:train"}
        | {f"params:{name}": f"params:{study.name}.{name}" for name in used},
    )

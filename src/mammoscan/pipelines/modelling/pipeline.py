from __future__ import annotations

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import FOLDS, REPORT, join_boxes, place_nodes
from mammoscan.pipelines.modelling.nodes import (
    average_counts,
    balance_pool,
    balance_samples,
    compute_features,
    describe_model,
    divide_pool,
    divide_samples,
    gather_counts,
    gather_histories,
    gather_predictions,
    gather_results,
    pool_predictions,
    predict_baselines,
    predict_fold,
    split_folds,
    train_final,
    train_fold,
)
from mammoscan.studies import Study


def create_pipeline(study: Study, box: str = "", parts: Iterable[str] = ()) -> Pipeline:
    """Return what takes a study from samples and pixels to pooled predictions.

    Args:
        study: Its protocol decides whether classes are balanced in each training side (``patient``) or once before
            the division (``author``), and whether a final model is trained on everything.
        box: The box that holds all of it; none for the study that a pipeline is named for.
        parts: Entries that other pipelines gather from the folds, to be kept among the folds' results.
    """
    folds = range(study.folds)
    gathered = [
        Node(split_folds, "folds", {f"fold_{n}_rows": f"fold_{n}.rows" for n in folds}, name="split_folds"),
        Node(
            gather_histories,
            [f"fold_{n}.history" for n in folds],
            "histories",
            name="gather_histories",
        ),
        Node(
            predict_baselines,
            ["samples", "pixels", "folds", "params:question", "params:evaluation"],
            "baseline_predictions",
            name="predict_baselines",
        ),
        Node(
            gather_predictions,
            [f"fold_{n}.predictions" for n in folds],
            "fold_predictions",
            name="gather_predictions",
        ),
    ]
    steps = [
        Node(pool_predictions, "fold_results", "predictions", name="pool_predictions"),
    ]
    kept = ["fold_predictions", "baseline_predictions", *parts]
    tables = [
        Node(
            describe_model,
            ["pixels", "params:question", "params:training"],
            ["network", "network_summary"],
            name="describe_model",
        )
    ]
    if study.protocol == "patient":
        gathered.append(
            Node(
                gather_counts,
                [f"fold_{n}.class_counts" for n in folds],
                "fold_counts",
                name="gather_counts",
            )
        )
        kept.append("fold_counts")
        tables.append(Node(average_counts, "fold_results", "class_counts", name="average_counts"))
        steps += _create_patient_steps(study)
    else:
        steps += _create_author_steps()
    gathered.append(
        Node(gather_results, {name: name for name in kept}, "fold_results", name="gather_results")
    )
    return (
        place_nodes(steps, study, box=box)
        + place_nodes(gathered, study, box=join_boxes(box, FOLDS))
        + place_nodes(tables, study, box=box or REPORT)
        + sum((_create_fold(study, number, box) for number in folds), start=Pipeline([]))
    )


def _create_fold(study: Study, number: int, box: str) -> Pipeline:
    balanced = study.protocol == "patient"
    features = ["features"] if study.uses_features else []
    nodes = [
        Node(
            train_fold,
            [
                "samples",
                "pixels",
                "training_rows" if balanced else "rows",
                "params:question",
                "params:training",
                "params:views",
                "params:split",
                "params:train",
                "params:run.training_folder",
                *features,
            ],
            ["model", "history"],
            name="train_fold",
        ),
        Node(
            predict_fold,
            [
                "model",
                "samples",
                "pixels",
                "rows",
                "params:question",
                "params:training",
                "params:views",
                "params:train",
                *features,
            ],
            "predictions",
            name="predict_fold",
        ),
    ]
    if balanced:
        nodes.append(
            Node(
                balance_samples,
                ["rows", "samples", "params:balance"],
                ["training_rows", "class_counts"],
                name="balance_samples",
            )
        )
    return place_nodes(nodes, study, box=join_boxes(box, FOLDS, f"fold_{number}"), fold=number)


def _create_patient_steps(study: Study) -> list[Node]:
    features = ["features"] if study.uses_features else []
    steps = [
        Node(divide_samples, ["samples", "params:split"], "folds", name="divide_samples"),
        Node(
            train_final,
            [
                "samples",
                "pixels",
                "folds",
                "params:question",
                "params:training",
                "params:views",
                "params:balance",
                "params:train",
                "params:run.training_folder",
                "histories",
                *features,
            ],
            ["final.model", "final.history"],
            name="train_final",
        ),
    ]
    if features:
        steps.append(
            Node(
                compute_features,
                ["pixels", "folds", "params:training", "params:views", "params:train"],
                "features",
                name="compute_features",
            )
        )
    return steps


def _create_author_steps() -> list[Node]:
    return [
        Node(
            balance_pool,
            ["samples", "census", "params:balance"],
            ["pool", "class_counts"],
            name="balance_samples",
        ),
        Node(divide_pool, ["samples", "pool", "params:split"], "folds", name="divide_samples"),
    ]

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.modelling.nodes import (
    balance_pool,
    balance_samples,
    compute_features,
    describe_model,
    divide_pool,
    divide_samples,
    gather_counts,
    pool_predictions,
    predict_baselines,
    predict_fold,
    split_folds,
    train_final,
    train_fold,
)
from mammoscan.studies import Study

TRAINING_PARAMETERS = ("question", "training", "views", "split", "balance")


def create_pipeline(study: Study) -> Pipeline:
    """Return what takes a study from samples and pixels to pooled predictions.

    Args:
        study: Its protocol decides whether classes are balanced in each training side (``patient``) or once before
            the division (``author``), and whether a final model is trained on everything.
    """
    folds = [_create_fold(study, number) for number in range(study.folds)]
    names = [f"fold_{number}" for number in range(study.folds)]
    common = [
        Node(
            split_folds,
            "folds",
            {f"{name}_rows": f"{name}.rows" for name in names},
            name="split_folds",
        ),
        Node(
            predict_baselines,
            ["samples", "pixels", "folds", "params:question", "params:evaluation"],
            "baseline_predictions",
            name="predict_baselines",
        ),
        Node(
            pool_predictions,
            [*(f"{name}.predictions" for name in names), "baseline_predictions"],
            "predictions",
            name="pool_predictions",
        ),
        Node(
            describe_model,
            ["pixels", "params:question", "params:training"],
            ["network", "network_summary"],
            name="describe_model",
        ),
    ]
    if study.uses_features:
        common.append(
            Node(
                compute_features,
                ["pixels", "folds", "params:training", "params:views", "params:train"],
                "features",
                name="compute_features",
            )
        )
    own = _create_patient_nodes(study, names) if study.protocol == "patient" else _create_author_nodes()
    base = Pipeline(common + own)
    machine = {"params:train"} & base.inputs()
    return sum(folds, start=Pipeline(base, namespace=study.name, parameters=machine))


def _create_fold(study: Study, number: int) -> Pipeline:
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
                "checkpoints",
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
        nodes.insert(
            0,
            Node(
                balance_samples,
                ["rows", "samples", "params:balance"],
                ["training_rows", "class_counts"],
                name="balance_samples",
            ),
        )
    used = [name for name in TRAINING_PARAMETERS if balanced or name != "balance"]
    return Pipeline(
        nodes,
        namespace=f"{study.name}.fold_{number}",
        inputs={name: f"{study.name}.{name}" for name in ("samples", "pixels", *features)},
        parameters={"params:train": "params:train"}
        | {f"params:{name}": f"params:{study.name}.{name}" for name in used},
    )


def _create_patient_nodes(study: Study, names: list[str]) -> list[Node]:
    features = ["features"] if study.uses_features else []
    return [
        Node(divide_samples, ["samples", "params:split"], "folds", name="divide_samples"),
        Node(gather_counts, [f"{name}.class_counts" for name in names], "class_counts", name="gather_counts"),
        Node(
            train_final,
            {
                **{name: name for name in ("samples", "pixels", "folds", *features)},
                **{name: f"params:{name}" for name in ("question", "training", "views", "balance")},
                "machine": "params:train",
                "checkpoints": "final.checkpoints",
                **{name: f"{name}.history" for name in names},
            },
            ["final.model", "final.history"],
            name="train_final",
        ),
    ]


def _create_author_nodes() -> list[Node]:
    return [
        Node(
            balance_pool,
            ["samples", "census", "params:balance"],
            ["pool", "class_counts"],
            name="balance_samples",
        ),
        Node(divide_pool, ["samples", "pool", "params:split"], "folds", name="divide_samples"),
    ]

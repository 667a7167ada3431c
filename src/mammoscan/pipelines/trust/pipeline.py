from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.trust import nodes
from mammoscan.studies import Study

FIGURES = ("calibration",)
SECTIONS = ("trust",)


def create_trust(study: Study) -> Pipeline:
    """Return what finds temperature, threshold and the out-of-distribution check, and measures all three."""
    features = ["features"] if study.uses_features else []
    folds = [
        Pipeline(
            [
                Node(
                    nodes.measure_out_of_distribution,
                    [
                        *("model", "samples", "pixels", "rows"),
                        *("params:training", "params:evaluation", "params:train", *features),
                    ],
                    "out_of_distribution",
                    name="measure_out_of_distribution",
                )
            ],
            namespace=f"{study.name}.fold_{number}",
            inputs={name: f"{study.name}.{name}" for name in ("samples", "pixels", *features)},
            parameters={"params:train": "params:train"}
            | {f"params:{name}": f"params:{study.name}.{name}" for name in ("training", "evaluation")},
        )
        for number in range(study.folds)
    ]
    tables = [f"fold_{number}.out_of_distribution" for number in range(study.folds)]
    base = [
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
            nodes.measure_trust,
            ["predictions", "params:question", "params:evaluation", *tables],
            "trust",
            name="measure_trust",
        ),
        Node(
            nodes.draw_calibration,
            ["raw", "trust", "params:question"],
            "calibration_figure",
            name="draw_calibration",
        ),
        Node(
            nodes.write_trust_section,
            ["trust", "params:question"],
            "trust_section",
            name="write_trust_section",
        ),
    ]
    return sum(
        folds,
        start=Pipeline(
            base,
            namespace=study.name,
            inputs={"raw": f"{study.dataset}.raw"},
            parameters={"params:train": "params:train"},
        ),
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
        "record": "raw",
        "run_info": "run_info",
        "model_input": "model_input",
        "samples": "samples",
        "question": "params:question",
        "training": "params:training",
        "views": "params:views",
        "evaluation": "params:evaluation",
        "metrics": "metrics",
        "leak_audit": "leak_audit",
        "histories": "training_facts",
    }
    if study.protocol == "patient":
        inputs |= {"final": "final.history", "trust": "trust", "subgroups": "subgroup_metrics"}
    base = Pipeline(
        [
            Node(describe, [*blocks, "pixels"], "model_input", name="describe_input"),
            Node(
                nodes.write_card if study.protocol == "patient" else nodes.write_author_card,
                inputs,
                "card",
                name="write_card",
            ),
            Node(nodes.write_model_card, "card", ["model_card", "model_card_data"], name="write_model_card"),
        ]
    )
    shared = {"raw": f"{study.dataset}.raw", "run_info": "run_info"}
    own = {"params:grid": f"params:{study.dataset}.grid"} if not images else {}
    return Pipeline(base, namespace=study.name, inputs=shared, parameters=own)

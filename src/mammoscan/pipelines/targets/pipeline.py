from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from mammoscan.pipelines.graph import FOLDS, MEASURING, REPORT, TRUST, join_boxes, place_nodes
from mammoscan.pipelines.images.nodes import pack_images
from mammoscan.pipelines.modelling.nodes import (
    compute_features,
    gather_histories,
    gather_predictions,
    gather_results,
    pool_predictions,
    split_folds,
)
from mammoscan.pipelines.reporting.nodes import (
    audit_leaks,
    draw_sample_sheet,
    draw_training_curves,
    draw_views,
)
from mammoscan.pipelines.targets import nodes
from mammoscan.pipelines.trust.nodes import (
    describe_images,
    fit_out_of_distribution,
    gather_out_of_distribution,
    measure_out_of_distribution,
    write_model_card,
)
from mammoscan.studies import Study

RECIPE = ("params:training", "params:views")
FIGURES = ("agreement", "training_curves", "sample_sheet", "views", "topology")


def create_pipeline(study: Study) -> Pipeline:
    """Return a study of numbers or levels from its indexed images to its report and the card of its model."""
    return (
        place_nodes(_list_steps(), study)
        + place_nodes(_list_gathered(study), study, box=FOLDS)
        + sum((_create_fold(study, number) for number in range(study.folds)), start=Pipeline([]))
        + place_nodes(_list_measures(), study, box=MEASURING)
        + place_nodes(_list_trust(), study, box=TRUST)
        + place_nodes(_list_report(), study, box=REPORT)
    )


def _list_steps() -> list[Node]:
    return [
        Node(
            nodes.choose_images,
            ["images", "malformed", "params:question", "params:pack"],
            ["chosen", "left_out"],
            name="choose_images",
        ),
        Node(
            pack_images,
            ["raw", "chosen", "left_out", "params:pack", "params:run.pack_folder"],
            ["samples", "pixels", "rejected"],
            name="pack_images",
        ),
        Node(
            nodes.divide_samples,
            ["samples", "params:question", "params:split"],
            "folds",
            name="divide_samples",
        ),
        Node(
            compute_features,
            ["pixels", "folds", *RECIPE, "params:train"],
            "features",
            name="compute_features",
        ),
        Node(
            nodes.train_final,
            [
                *("samples", "pixels", "folds", *RECIPE, "params:train", "params:run.training_folder"),
                *("histories", "features"),
            ],
            ["final.model", "final.history"],
            name="train_final",
        ),
        Node(pool_predictions, "fold_results", "predictions", name="pool_predictions"),
    ]


def _list_gathered(study: Study) -> list[Node]:
    folds = range(study.folds)
    kept = ("fold_predictions", "baseline_predictions", "out_of_distribution")
    return [
        Node(split_folds, "folds", {f"fold_{n}_rows": f"fold_{n}.rows" for n in folds}, name="split_folds"),
        Node(gather_histories, [f"fold_{n}.history" for n in folds], "histories", name="gather_histories"),
        Node(
            gather_predictions,
            [f"fold_{n}.predictions" for n in folds],
            "fold_predictions",
            name="gather_predictions",
        ),
        Node(
            gather_out_of_distribution,
            [f"fold_{n}.out_of_distribution" for n in folds],
            "out_of_distribution",
            name="gather_out_of_distribution",
        ),
        Node(
            nodes.predict_baselines,
            ["samples", "pixels", "folds", "params:question", "params:evaluation"],
            "baseline_predictions",
            name="predict_baselines",
        ),
        Node(gather_results, {name: name for name in kept}, "fold_results", name="gather_results"),
    ]


def _create_fold(study: Study, number: int) -> Pipeline:
    steps = [
        Node(
            nodes.train_fold,
            [
                *("samples", "pixels", "rows", *RECIPE, "params:split", "params:train"),
                *("params:run.training_folder", "features"),
            ],
            ["model", "history"],
            name="train_fold",
        ),
        Node(
            nodes.predict_fold,
            ["model", "samples", "pixels", "rows", *RECIPE, "params:train", "features"],
            "predictions",
            name="predict_fold",
        ),
        Node(
            measure_out_of_distribution,
            [
                *("model", "samples", "pixels", "rows"),
                *("params:training", "params:evaluation", "params:train", "features"),
            ],
            "out_of_distribution",
            name="measure_out_of_distribution",
        ),
    ]
    return place_nodes(steps, study, box=join_boxes(FOLDS, f"fold_{number}"), fold=number)


def _list_measures() -> list[Node]:
    return [
        Node(
            nodes.measure_predictions,
            ["predictions", "params:question", "params:evaluation"],
            "metrics",
            name="measure_predictions",
        ),
        Node(
            audit_leaks,
            ["raw", "samples", "pixels", "folds", "params:split"],
            "leak_audit",
            name="audit_leaks",
        ),
    ]


def _list_trust() -> list[Node]:
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
        "final": "final.history",
        "trust": "trust",
        "reference": "final.out_of_distribution",
    }
    return [
        Node(
            fit_out_of_distribution,
            [
                *("final.model", "samples", "pixels", "folds"),
                *("params:training", "params:evaluation", "params:train", "features"),
            ],
            "final.out_of_distribution",
            name="fit_out_of_distribution",
        ),
        Node(
            nodes.measure_trust,
            ["predictions", "params:evaluation", "fold_results"],
            "trust",
            name="measure_trust",
        ),
        Node(describe_images, ["params:pack", "pixels"], "model_input", name="describe_input"),
        Node(nodes.write_card, inputs, "card", name="write_card"),
        Node(write_model_card, "card", "model_card", name="write_model_card"),
    ]


def _list_report() -> list[Node]:
    inputs = {
        "question": "params:question",
        "evaluation": "params:evaluation",
        "training": "params:training",
        "views": "params:views",
        "record": "raw",
        "run_info": "params:run.info",
        "metrics": "metrics",
        "leak_audit": "leak_audit",
        "rejected": "rejected",
        "histories": "histories",
        "network_summary": "network_summary",
        "target_section": "target_section",
        **{f"{name}_figure": f"{name}_figure" for name in FIGURES},
    }
    return [
        Node(
            nodes.describe_model,
            ["pixels", "params:training"],
            ["network", "network_summary"],
            name="describe_model",
        ),
        Node(
            nodes.draw_agreement,
            ["raw", "predictions", "metrics", "params:question"],
            "agreement_figure",
            name="draw_agreement",
        ),
        Node(
            draw_training_curves,
            ["raw", "params:split", "histories"],
            "training_curves_figure",
            name="draw_training_curves",
        ),
        Node(
            draw_sample_sheet,
            ["raw", "pixels", "samples", "folds"],
            "sample_sheet_figure",
            name="draw_sample_sheet",
        ),
        Node(draw_views, ["raw", "pixels", "folds", "params:views"], "views_figure", name="draw_views"),
        Node(
            nodes.draw_topology,
            ["raw", "network", "params:question"],
            "topology_figure",
            name="draw_topology",
        ),
        Node(
            nodes.write_section,
            ["metrics", "trust", "params:question", "params:evaluation"],
            "target_section",
            name="write_section",
        ),
        Node(nodes.write_report, inputs, "report", name="write_report"),
    ]

"""What holds for every figure: it bears the stamp, and its words neither collide nor leave the paper."""

import numpy as np
import pandas as pd
import pytest

from histories import make_epoch, make_history
from mammoscan.figures.calibration import draw_reliability
from mammoscan.figures.class_counts import draw_class_counts, draw_severity_counts
from mammoscan.figures.confusion_matrix import draw_confusion_matrix
from mammoscan.figures.decision_curve import draw_decision_curve
from mammoscan.figures.error_gallery import draw_answer_gallery, draw_wrong_gallery
from mammoscan.figures.image_grids import draw_augmented, draw_sample_sheet, draw_views
from mammoscan.figures.interval_charts import draw_ablation, draw_experiment_chart, draw_metric_intervals
from mammoscan.figures.place_map import draw_place_map
from mammoscan.figures.roc_curves import draw_precision_recall, draw_roc
from mammoscan.figures.sample_flow import draw_sample_flow
from mammoscan.figures.scans import draw_scan_map, draw_scan_sheet
from mammoscan.figures.slide_map import draw_probability_map
from mammoscan.figures.style import DPI, PHANTOM_STAMP, WIDTH, render_png
from mammoscan.figures.topology import draw_topology
from mammoscan.figures.training_curves import draw_training_curves
from mammoscan.imaging.views import AUTHOR_VIEWS
from mammoscan.records.decision_curve import DecisionCurve, DecisionPoint
from mammoscan.records.flow import FlowCount, FoldFlow, SampleFlow


def measure(value, width=0.1):
    return {"value": value, "low": value - width, "high": min(1.0, value + width)}


def history(epochs):
    rows = [
        make_epoch(n, accuracy=1 - 0.5 / n, val_loss=0.5 + 1 / n, val_accuracy=0.6)
        for n in range(1, epochs + 1)
    ]
    return make_history(rows, epochs // 2 + 1)


BINS = [
    {"from": k / 10, "to": (k + 1) / 10, "samples": 3 * k, "predicted": k / 10 + 0.05, "observed": k / 10}
    | {"low": max(0.0, k / 10 - 0.1), "high": k / 10 + 0.1}
    for k in range(10)
]
LAYERS = [
    {"name": "image", "type": "Input", "output_shape": (48, 48, 1), "parameters": 0},
    {"name": "conv2d", "type": "Conv2D", "output_shape": (46, 46, 32), "parameters": 320},
    {
        "name": "expanded_conv_depthwise_BN",
        "type": "BatchNormalization",
        "output_shape": (2,),
        "parameters": 4,
    },
    {"name": "dense_with_a_long_name", "type": "Dense", "output_shape": (None, 2), "parameters": 12802},
]
COUNTS = pd.DataFrame(
    {
        "group": ["CALC", "CALC"],
        "severity": ["benign", "malignant"],
        "before": [144, 120],
        "after": [120, 120],
    }
)
METRICS = {model: {"auc": measure(0.6)} for model in ("majority", "cnn", "texture", "metadata")}
EXPERIMENTS = [
    {"experiment": f"{what}, {how}", "recall": measure(0.85), "precision": measure(0.8)}
    | {"claimed_recall": 0.97, "claimed_precision": 1.0}
    for what in ("Calcifications", "Masses", "All classes")
    for how in ("class-balanced", "fully balanced")
]
SEVERITIES = pd.DataFrame(
    [
        {"group": group, "severity": severity, "before": 1000 + 12 * k, "after": 84}
        for k, group in enumerate(("ARCH", "ASYM", "CALC", "CIRC", "MISC", "NORM", "SPIC"))
        for severity in (("normal",) if group == "NORM" else ("benign", "malignant"))
    ]
)
VARIANTS = [
    {"name": n, "auc": measure(0.9)} for n in ("as published", "without any rotated copies of test images")
]


def build_curve(points):
    benefit = {"value": 0.1, "low": -0.1, "high": 0.2, "undefined": 0, "note": "", "method": "m"}
    return DecisionCurve(
        positive="malignant",
        unit="regions",
        prevalence=0.4,
        samples=119,
        patients=104,
        level=0.95,
        points=[
            DecisionPoint(
                threshold=n / 100,
                model=benefit,
                call_all=0.4 - n / 100,
                gain=benefit,
                others={"texture": 0.0},
            )
            for n in range(1, points + 1)
        ],
    )


def build_flow(lockbox=False):
    count = FlowCount(samples=119, patients=104, labels={"benign": 67, "malignant": 52})
    reasons = (
        "a normal scan: the question is about abnormalities only",
        "no coordinates given",
        "differs from its checksum in the list of published files, and modified files are not allowed",
    )
    return SampleFlow(
        source_unit="scans",
        found=322,
        found_patients=161,
        rejected={f"{reason}, {number}": 9 for number in range(3) for reason in reasons},
        unit="regions",
        samples=count,
        lockbox=count if lockbox else None,
        unused=count if lockbox else None,
        used=count,
        folds=[
            FoldFlow(fold=n, sides=dict.fromkeys(("train", "validation", "test"), count)) for n in range(5)
        ],
    )


def draw_map(probabilities, count, stamp):
    regions = pd.DataFrame({"rank": range(1, count + 1), "probability": 0.9, "side": 256.0})
    places = regions["rank"] * 200.0 - 100
    return draw_scan_map(
        np.full((1024, 1024), 90, np.uint8),
        probabilities,
        np.arange(6) * 200,
        np.arange(6) * 200,
        regions.assign(row=places, column=places, x=places, y=1024 - places),
        stamp,
        positive="abnormal",
        name="mdb001.pgm",
        note="A sentence that must be read with the map, or else it will be taken for what it is not.",
    )


PLACES = pd.DataFrame(
    [
        {
            "patient_id": f"1{slide}253",
            "x": 1 + 50 * x,
            "y": 1 + 50 * y,
            "is_positive": x > y,
            "probability": x / 12,
        }
        for slide in range(7)
        for x in range(9 + slide)
        for y in range(6)
    ]
)


@pytest.fixture(
    params=[
        "confusion", "confusion3", "roc", "precision_recall", "training", "training_one",
        "training_many", "training_none", "counts", "counts_same", "counts_none", "scans", "scans_none",
        "samples", "samples_none", "augmented", "augmented_none",
        "severities", "severities_none", "views", "author_views", "answers", "wrong",
        "wrong_explained", "none_wrong", "topology",
        "topology_none", "intervals", "intervals_none", "reliability", "reliability_none",
        "decision_curve", "decision_curve_none", "flow", "flow_lockbox",
        "experiments", "experiments_none", "ablation", "ablation_none", "places", "places_none",
        "slides", "slides_one", "slides_none",
        "scan_map", "scan_map_none",
    ]
)  # fmt: skip
def draw(request, samples, pixels, predictions, question):
    """Return a function of the stamp that draws one of the figures."""
    sources = list(samples["source"])
    right = predictions[~predictions["sample_id"].isin(samples["sample_id"][-4:])]
    none = samples.iloc[:0]
    return {
        "confusion": lambda stamp: draw_confusion_matrix([[50, 18], [17, 34]], question.labels, stamp),
        "confusion3": lambda stamp: draw_confusion_matrix(
            np.array([[5000, 18, 3], [17, 34, 1], [0, 0, 0]]), ("benign", "malignant", "normal"), stamp
        ),
        "roc": lambda stamp: draw_roc(predictions, question, stamp),
        "precision_recall": lambda stamp: draw_precision_recall(predictions, question, stamp),
        "training": lambda stamp: draw_training_curves({k: history(20 + k) for k in range(5)}, stamp),
        "training_one": lambda stamp: draw_training_curves({"study": history(1500)}, stamp, chosen_on="test"),
        "training_many": lambda stamp: draw_training_curves({k: history(1) for k in range(7)}, stamp),
        "training_none": lambda stamp: draw_training_curves({}, stamp),
        "counts": lambda stamp: draw_class_counts(COUNTS, stamp),
        "counts_same": lambda stamp: draw_class_counts(COUNTS.assign(after=COUNTS["before"]), stamp),
        "counts_none": lambda stamp: draw_class_counts(COUNTS.iloc[:0], stamp),
        "scans": lambda stamp: draw_scan_sheet(pixels[..., 0], sources, samples, stamp),
        "scans_none": lambda stamp: draw_scan_sheet(pixels[:0, ..., 0], [], none, stamp),
        "samples": lambda stamp: draw_sample_sheet(pixels, samples, stamp),
        "samples_none": lambda stamp: draw_sample_sheet(pixels[:0], none, stamp),
        "augmented": lambda stamp: draw_augmented(
            pixels[:8],
            pixels[:8, ::-1],
            stamp,
            "turned by up to 90°, zoomed by 0.8 to 1.2, mirrored left to right",
        ),
        "augmented_none": lambda stamp: draw_augmented(pixels[:8], pixels[:8], stamp, ""),
        "severities": lambda stamp: draw_severity_counts(SEVERITIES, SEVERITIES.assign(after=48), stamp),
        "severities_none": lambda stamp: draw_severity_counts(SEVERITIES[:0], SEVERITIES[:0], stamp),
        "views": lambda stamp: draw_views(pixels[0], stamp),
        "author_views": lambda stamp: draw_views(
            pixels[0], stamp, [(f"mdb001_{name}", k) for name, k in AUTHOR_VIEWS]
        ),
        "wrong": lambda stamp: draw_wrong_gallery(pixels, predictions, samples, question, stamp),
        "wrong_explained": lambda stamp: draw_wrong_gallery(
            pixels,
            predictions,
            samples,
            question,
            stamp,
            heats={(name, 0): np.full((16, 16), 200, np.uint8) for name in samples["sample_id"]},
        ),
        "answers": lambda stamp: draw_answer_gallery(pixels, predictions, samples, question, stamp),
        "none_wrong": lambda stamp: draw_wrong_gallery(pixels, right, samples, question, stamp),
        "topology": lambda stamp: draw_topology(LAYERS, stamp),
        "topology_none": lambda stamp: draw_topology([], stamp),
        "intervals": lambda stamp: draw_metric_intervals(METRICS, stamp),
        "intervals_none": lambda stamp: draw_metric_intervals({}, stamp),
        "reliability": lambda stamp: draw_reliability(BINS, stamp, positive="malignant"),
        "reliability_none": lambda stamp: draw_reliability(BINS[:1], stamp),
        "flow": lambda stamp: draw_sample_flow(build_flow(), stamp),
        "flow_lockbox": lambda stamp: draw_sample_flow(build_flow(lockbox=True), stamp),
        "decision_curve": lambda stamp: draw_decision_curve(build_curve(80), stamp),
        "decision_curve_none": lambda stamp: draw_decision_curve(build_curve(0), stamp),
        "experiments": lambda stamp: draw_experiment_chart(EXPERIMENTS, stamp),
        "experiments_none": lambda stamp: draw_experiment_chart([], stamp),
        "ablation": lambda stamp: draw_ablation(VARIANTS, stamp),
        "ablation_none": lambda stamp: draw_ablation([], stamp),
        "places": lambda stamp: draw_place_map(samples, stamp),
        "places_none": lambda stamp: draw_place_map(none, stamp),
        "slides": lambda stamp: draw_probability_map(PLACES, stamp, positive="malignant"),
        "slides_one": lambda stamp: draw_probability_map(PLACES[:9], stamp, positive="malignant"),
        "slides_none": lambda stamp: draw_probability_map(PLACES[:0], stamp, positive="malignant"),
        "scan_map": lambda stamp: draw_map(np.random.default_rng(0).random((6, 6)), 5, stamp),
        "scan_map_none": lambda stamp: draw_map(np.full((6, 6), np.nan), 0, stamp),
    }[request.param]


@pytest.mark.slow
def test_every_figure_bears_the_stamp_and_no_word_covers_another(draw, read_texts, find_collisions):
    figure = draw(PHANTOM_STAMP)

    assert read_texts(figure).count(PHANTOM_STAMP) == 1
    assert find_collisions(figure) == []
    assert figure.get_size_inches()[0] <= WIDTH


def test_a_figure_of_real_data_bears_no_stamp(draw, read_texts):
    assert not any("PHANTOM" in text for text in read_texts(draw("")))


def test_a_png_is_written_at_the_asked_resolution():
    figure = draw_confusion_matrix([[1, 0], [0, 1]], ("a", "b"), "")

    png = render_png(figure, dpi=2 * DPI)

    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == round(figure.get_size_inches()[0] * 2 * DPI)

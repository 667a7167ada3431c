"""A report with the least, one with everything, and the cells of a small confusion matrix."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mammoscan.figures.confusion_matrix import draw_confusion_matrix
from mammoscan.figures.style import render_png
from mammoscan.params import Question
from mammoscan.reporting.cells import build_cells
from mammoscan.reporting.facts import ReportContent
from records import make_dataset_record
from reports import measure


@pytest.fixture(scope="session")
def png():
    return render_png(draw_confusion_matrix([[3, 1], [1, 3]], ("benign", "malignant"), ""), dpi=150)


@pytest.fixture
def bare():
    """The least that a report can say."""
    return ReportContent(
        title="Benign or malignant?",
        study="mias",
        question="Is the abnormality benign or malignant?",
        labels=("benign", "malignant"),
        positive="malignant",
        protocol="patient",
        folds=5,
        data=make_dataset_record(),
        metrics={"cnn": {"auc": measure(0.72), "samples": 119, "patients": 104}},
        command="kedro run --pipeline mias",
    )


@pytest.fixture
def full(bare, png):
    """A report with every section."""
    subgroup = {
        "model": "cnn",
        "by": "group",
        "subgroup": "CALC",
        "samples": 25,
        "patients": 20,
        "metric": "auc",
    }
    return replace(
        bare,
        threshold=0.5,
        metrics={
            "cnn": bare.metrics["cnn"]
            | {"recall_benign": measure(0.6), "precision": {"value": None, "low": None, "high": None}}
            | {"brier": measure(0.2) | {"note": "too few patients to say anything"}},
            "texture": {"auc": measure(0.6)},
            "own": {"auc": measure(0.55)},
        },
        audit={
            "sentence": "None of the 119 test images were seen in training.",
            "test_images": 119,
            **{key: {"count": 0, "share": 0.0} for key in ("exact", "views", "region", "source", "patient")},
        },
        calibration={"cnn": {"ece": measure(0.2), "bins": []}},
        subgroups=pd.DataFrame([subgroup | measure(0.7)]),
        limits=("One hospital.",),
        counts=pd.DataFrame({"group": ["CALC"], "severity": ["benign"], "before": [12], "after": [10]}),
        rejected={"no coordinates": 1},
        classification={
            "benign": {"precision": 0.75, "recall": 0.735, "f1-score": 0.742, "support": 68.0},
            "accuracy": 0.706,
        },
        figures=dict.fromkeys(("roc", "wrong_gallery", "reliability", "topology", "my_own"), png),
        ablation=(
            {"name": "as published", "auc": measure(0.9)},
            {"name": "no copies", "accuracy": measure(0.8)},
        ),
        reproduction=(
            {"claim": "Recall", "article": "0.97", "ours": measure(0.85), "note": "500 epochs"},
            {"claim": "Scans", "article": "332", "ours": "322"},
        ),
        experiments=(
            {"experiment": "Masses, class-balanced", "recall": measure(0.7), "claimed_recall": 0.97},
        ),
        training={"Network": "small_cnn"},
        parameters={"mias.train.epochs": 30},
        versions={"keras": "3.15.1"},
        run_id="a1b2",
        git_commit="0c8edba",
        seconds=171.0,
    )


@pytest.fixture
def cells():
    question = Question(
        title="T", text="Is it?", unit="regions", labels=("benign", "malignant"), positive="malignant"
    )
    shares = np.array([0.1, 0.9, 0.2, 0.7])
    predictions = pd.DataFrame(
        {
            "model": "cnn", "fold": [0, 0, 1, 1], "sample_id": [f"<s{k}>" for k in range(4)],
            "label": ["benign", "benign", "malignant", "malignant"],
            "p_benign": 1 - shares, "p_malignant": shares,
        }
    )  # fmt: skip
    samples = pd.DataFrame({"sample_id": predictions["sample_id"], "patient_id": list("abcd")})
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    heats = {("<s1>", 0): np.full((8, 8), 255, np.uint8)}
    return build_cells(predictions, samples, pixels, question, 0.5, heats)

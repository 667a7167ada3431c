"""Small tables in the layout of the data contract."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from mammoscan.params import EvaluationParams, Question

# Scans of each abnormality class that the article kept, benign and malignant; each became 12 images.
ARTICLE_SCANS = {
    "CALC": (12, 10),
    "CIRC": (19, 4),
    "SPIC": (11, 8),
    "MISC": (7, 7),
    "ARCH": (9, 10),
    "ASYM": (6, 9),
}


@pytest.fixture
def question() -> Question:
    return Question(text="?", about="severity", labels=("benign", "malignant"), positive="malignant")


@pytest.fixture
def three_labels() -> Question:
    return Question(
        text="?",
        about="severity_or_normal",
        labels=("benign", "malignant", "normal"),
        positive="malignant",
    )


@pytest.fixture
def evaluation() -> EvaluationParams:
    return EvaluationParams(resamples=200, metadata_columns=())


@pytest.fixture
def article_samples() -> pd.DataFrame:
    cells = []
    for group, (benign, malignant) in ARTICLE_SCANS.items():
        cells += [(group, "benign", benign), (group, "malignant", malignant)]
    rows, scan = [], 0
    for group, severity, scans in [*cells, ("NORM", "normal", 207)]:
        for _ in range(scans):
            scan += 1
            for view in range(12):
                rows.append(
                    (f"mdb{scan}_{view}", f"p{(scan - 1) // 2}", f"mdb{scan}.pgm", severity, group, severity)
                )
    table = pd.DataFrame(rows, columns=["sample_id", "patient_id", "source", "label", "group", "severity"])
    return table.assign(region_id=table["source"])


@pytest.fixture
def make_samples() -> Callable[..., pd.DataFrame]:
    """Make samples of patients, some of whom have both a benign and a malignant region."""

    def make(patients: int = 60, views: int = 3, seed: int = 0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        rows = []
        for patient in range(patients):
            for region in range(int(rng.integers(1, 4))):
                label = "malignant" if rng.random() < 0.4 else "benign"
                group = str(rng.choice(["CALC", "CIRC", "SPIC"]))
                for view in range(views):
                    name = f"p{patient}_r{region}"
                    rows.append((f"{name}_v{view}", f"p{patient}", f"{name}.pgm", label, name, group, label))
        columns = ["sample_id", "patient_id", "source", "label", "region_id", "group", "severity"]
        return pd.DataFrame(rows, columns=columns)

    return make


@pytest.fixture
def make_predictions() -> Callable[..., pd.DataFrame]:
    """Make predictions of clustered data: a patient's samples share a label and part of their score."""

    def make(
        patients: int = 40,
        each: int = 5,
        seed: int = 0,
        gap: float = 1.0,
        shared: float = 1.0,
        digits: int = 9,
    ) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(patients), each)
        malignant = (np.arange(patients) % 2 == 1)[patient]
        raw = gap * malignant + shared * rng.normal(size=patients)[patient] + rng.normal(size=len(patient))
        p = np.round(1 / (1 + np.exp(-(raw - gap / 2))), digits)
        return pd.DataFrame(
            {
                "model": "cnn",
                "fold": patient % 4 // 2,
                "sample_id": [f"s{i}" for i in range(len(patient))],
                "patient_id": [f"p{i}" for i in patient],
                "label": np.where(malignant, "malignant", "benign"),
                "target": malignant.astype(int),
                "p_benign": 1 - p,
                "p_malignant": p,
            }
        )

    return make

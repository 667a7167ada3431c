"""Small tables in the layout of the data contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mammoscan.params import EvaluationParams, Question, Recipe
from mammoscan.records.dataset import DatasetRecord
from records import make_dataset_record

LABELS = ("benign", "malignant")


@pytest.fixture
def question() -> Question:
    return Question(text="?", about="severity", labels=LABELS, positive="malignant")


@pytest.fixture
def evaluation() -> EvaluationParams:
    return EvaluationParams(resamples=30, metadata_columns=("radius", "tissue"))


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(epochs=5, patience=2)


@pytest.fixture
def samples() -> pd.DataFrame:
    """Thirty patients of two regions each; two thirds are benign."""
    rows = []
    for number in range(60):
        target = int(number % 3 == 0)
        rows.append(
            {
                "sample_id": f"mdb{number + 1:03d}-1",
                "patient_id": f"p{number // 2:03d}",
                "source": f"mdb{number + 1:03d}.pgm",
                "label": LABELS[target],
                "target": target,
                "region_id": f"mdb{number + 1:03d}-1",
                "group": ("CALC", "CIRC")[number % 2],
                "severity": LABELS[target],
                "tissue": "FGD"[number // 2 % 3],
                "radius": 20.0 + number,
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture
def pixels(samples: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(samples), 16, 16, 1), dtype=np.uint8)


@pytest.fixture
def record(tmp_path: Path) -> DatasetRecord:
    return make_dataset_record(
        kind="phantom",
        verified=False,
        source="phantom",
        folder=str(tmp_path),
        fingerprint="0" * 64,
        images=60,
        patients=30,
        citation="none",
        licence="MIT",
        limits=("Synthetic images.",),
    )

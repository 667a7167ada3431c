"""The flow of patients and images adds up."""

import pandas as pd
import pytest

from mammoscan.evaluation.sample_flow import count_flow
from mammoscan.params import Question
from mammoscan.records.dataset import DatasetRecord

QUESTION = Question(text="?", labels=("benign", "malignant"), positive="malignant", unit="regions")
REJECTED = pd.DataFrame({"reason": ["no place", "no place", "unreadable"]})


def make_record(**changes: object) -> DatasetRecord:
    facts = {"dataset": "d", "title": "D", "kind": "real", "source": "s", "folder": "f", "fingerprint": "x"}
    return DatasetRecord.model_validate(facts | {"images": 20, "patients": 9} | changes)


@pytest.fixture
def samples() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": [f"s{n}" for n in range(8)],
            "patient_id": ["a", "a", "b", "c", "d", "d", "e", "f"],
            "label": ["benign", "malignant"] * 4,
        }
    )


@pytest.fixture
def folds(samples: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": samples["sample_id"],
            "row": range(8),
            "fold_0": ["train", "train", "test", "validation", "out", "out", "lockbox", "out"],
            "fold_1": ["test", "test", "train", "train", "train", "train", "lockbox", "out"],
        }
    )


def test_every_sample_is_used_set_aside_or_in_no_fold(samples: pd.DataFrame, folds: pd.DataFrame) -> None:
    flow = count_flow(make_record(), REJECTED, samples, folds, QUESTION)
    assert flow.rejected == {"no place": 2, "unreadable": 1}
    assert (flow.samples.samples, flow.samples.patients) == (8, 6)
    assert flow.lockbox is not None
    assert flow.unused is not None
    assert (flow.lockbox.samples, flow.unused.samples, flow.used.samples) == (1, 1, 6)
    assert flow.used.labels == {"benign": 3, "malignant": 3}
    for fold in flow.folds:
        assert sum(side.samples for side in fold.sides.values()) == flow.used.samples
    first = flow.folds[0].sides
    assert {side: count.samples for side, count in first.items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
        "out": 2,
    }
    assert first["train"].patients == 1


def test_unknown_patients_are_not_counted(samples: pd.DataFrame, folds: pd.DataFrame) -> None:
    flow = count_flow(make_record(patients_known=False), REJECTED, samples, folds, QUESTION)
    assert flow.found_patients is None
    assert flow.samples.patients is None

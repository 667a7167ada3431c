"""The lockbox is opened by the final model alone, every opening is counted, and the report says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mammoscan.datasets import RecordLogDataset
from mammoscan.errors import MammoscanError
from mammoscan.evaluation.splits import divide_samples, find_lockbox_rows
from mammoscan.models.registry import build_network
from mammoscan.params import EvaluationParams, MachineParams, Question, Recipe, SplitParams, ViewParams
from mammoscan.pipeline_registry import register_pipelines
from mammoscan.pipelines.lockbox import nodes
from mammoscan.records.run_info import RunInfo
from mammoscan.studies import STUDIES
from mammoscan.tracking.flatten import find_models, flatten_metrics
from records import make_dataset_record

EVALUATION = EvaluationParams(threshold={"rule": "sensitivity", "at": 0.8}, resamples=50, metadata_columns=())
TRAINING = Recipe(epochs=1, scale="unit")
MACHINE = MachineParams(device="cpu")
VIEWS = ViewParams(prediction=False)
TRUST = {"temperature": 1.5, "threshold": 0.4}
RUN = RunInfo(
    pipeline="mias_lockbox",
    started=0,
    command=None,
    commit="abc",
    run_id="r1",
    versions={},
    python="3.11",
    machine="",
)


@pytest.fixture
def locked_folds(samples: pd.DataFrame) -> pd.DataFrame:
    return divide_samples(samples, SplitParams(folds=2, lockbox=0.3), 2)


@pytest.fixture
def model(pixels: np.ndarray) -> Any:
    return build_network("small_cnn", pixels.shape[1:], 2, 0)


@pytest.fixture
def opened(
    model: Any, samples: pd.DataFrame, pixels: np.ndarray, locked_folds: pd.DataFrame, question: Question
) -> tuple[pd.DataFrame, pd.DataFrame]:
    return nodes.open_lockbox(
        model, samples, pixels, locked_folds, question, EVALUATION, TRAINING, VIEWS, MACHINE
    )


def test_exactly_the_lockbox_is_predicted_and_the_baselines_learn_from_all_others(
    opened: tuple[pd.DataFrame, pd.DataFrame], samples: pd.DataFrame, locked_folds: pd.DataFrame
) -> None:
    predictions, split = opened
    locked = samples.iloc[find_lockbox_rows(locked_folds)]
    for model in ("cnn", "majority", "texture"):
        rows = predictions[predictions["model"] == model]
        assert list(rows["sample_id"]) == list(locked["sample_id"])
    assert set(split.loc[split["fold_0"] == "test", "sample_id"]) == set(locked["sample_id"])
    assert (split["fold_0"] == "train").sum() == len(samples) - len(locked)


def test_without_a_lockbox_there_is_nothing_to_open(
    model: Any, samples: pd.DataFrame, pixels: np.ndarray, question: Question
) -> None:
    folds = divide_samples(samples, SplitParams(folds=2), 2)
    with pytest.raises(MammoscanError, match=r"split.lockbox is 0: no patient was set aside"):
        nodes.open_lockbox(model, samples, pixels, folds, question, EVALUATION, TRAINING, VIEWS, MACHINE)


def test_every_opening_is_counted_and_a_later_one_is_said_to_be_no_test(
    tmp_path: Path,
    model: Any,
    opened: tuple[pd.DataFrame, pd.DataFrame],
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
) -> None:
    predictions, split = opened
    log = RecordLogDataset(filepath=str(tmp_path / "openings.jsonl"))
    record = make_dataset_record(kind="real")
    audit = nodes.audit_lockbox(record, samples, pixels, split)
    pages = []
    for number in (1, 2):
        log.save(nodes.record_opening(model, predictions, RUN))
        openings = log.load()
        found = nodes.measure_lockbox(predictions, TRUST, openings, question, EVALUATION)
        assert found["opening"] == number == len(openings)
        pages.append(
            nodes.write_lockbox_report(
                record, RUN, found, audit, openings, found["models"], question, EVALUATION
            )
        )
    assert openings[0]["model"] == openings[1]["model"]
    assert openings[0]["lockbox"] == openings[1]["lockbox"]
    assert "This is the first opening" in pages[0]
    assert "opened 2 times. Only the first opening is a test" in pages[1]


def test_temperature_and_threshold_of_the_model_are_used(
    opened: tuple[pd.DataFrame, pd.DataFrame], question: Question
) -> None:
    predictions, _ = opened
    found, plain = (
        nodes.measure_lockbox(predictions, trust, [{}], question, EVALUATION)
        for trust in (TRUST, {"temperature": 1.0, "threshold": 0.9999})
    )
    assert found["models"]["cnn"]["brier"] != plain["models"]["cnn"]["brier"]
    assert found["models"]["cnn"]["auc"]["value"] == pytest.approx(plain["models"]["cnn"]["auc"]["value"])
    assert plain["operation"]["counts"]["hit"] == 0
    assert sum(found["operation"]["counts"].values()) == found["models"]["cnn"]["samples"]


def test_every_study_that_trains_a_final_model_has_a_lockbox() -> None:
    registered = register_pipelines()
    for name, study in STUDIES.items():
        if study.protocol == "patient" and name != "mias_search" and name in registered:
            assert f"{name}_lockbox" in registered
            assert not {"train_final", "train_fold"} & {
                node.name.rpartition(".")[2] for node in registered[f"{name}_lockbox"].nodes
            }


def test_mlflow_gets_the_measures_of_an_opened_lockbox(
    opened: tuple[pd.DataFrame, pd.DataFrame], question: Question
) -> None:
    found = nodes.measure_lockbox(opened[0], TRUST, [{}], question, EVALUATION)
    sent = flatten_metrics(find_models(found))
    assert sent["auc"] == found["models"]["cnn"]["auc"]["value"]
    assert "texture_auc" in sent
    assert find_models(found["models"]) == found["models"]

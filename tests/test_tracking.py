"""Epochs reach a real MLflow database while they happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from histories import make_epoch
from mammoscan.tracking import live
from mammoscan.tracking.live import EpochLog

NAMES = {f"fold_0/{name}" for name in ("loss", "accuracy", "learning_rate", "seconds")}


@pytest.fixture
def client(database: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(database)


@pytest.fixture
def run_id(client: mlflow.MlflowClient, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    run_id = client.create_run(client.create_experiment("x")).info.run_id
    monkeypatch.setenv(live.RUN_ID_VARIABLE, run_id)
    monkeypatch.setenv(live.TRACKING_URI_VARIABLE, database)
    return run_id


def test_every_epoch_arrives_at_its_own_step(client: mlflow.MlflowClient, run_id: str) -> None:
    log = EpochLog("fold_0")
    for number in (1, 2, 3):
        log.add(make_epoch(number))
    log.flush()
    history = client.get_metric_history(run_id, "fold_0/loss")
    assert [(metric.step, metric.value) for metric in history] == [
        (1, 1.0),
        (2, 0.5),
        (3, pytest.approx(1 / 3)),
    ]
    assert set(client.get_run(run_id).data.metrics) == NAMES


def test_they_arrive_while_training_goes_on(
    client: mlflow.MlflowClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FLUSH_EVERY_S", 0.0)
    EpochLog("fold_0").add(make_epoch(1))
    assert client.get_run(run_id).data.metrics["fold_0/loss"] == 1.0


def test_what_is_no_finite_number_is_left_out(client: mlflow.MlflowClient, run_id: str) -> None:
    log = EpochLog("f")
    log.add(make_epoch(1, val_auc=float("nan"), val_loss=float("inf")))
    log.flush()
    assert not set(client.get_run(run_id).data.metrics) & {"f/val_auc", "f/val_loss"}


def test_more_than_one_batch_of_metrics_arrives(client: mlflow.MlflowClient, run_id: str) -> None:
    log = EpochLog("f")
    for number in range(1, 1102):
        log.add(make_epoch(number))
    log.flush()
    log.flush()
    assert client.get_run(run_id).data.metrics["f/loss"] == pytest.approx(1 / 1101)
    assert len(client.get_metric_history(run_id, "f/loss")) == 1101


def test_without_a_run_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(live.RUN_ID_VARIABLE, raising=False)
    monkeypatch.setenv(live.TRACKING_URI_VARIABLE, f"sqlite:///{tmp_path}/mlflow.db")
    log = EpochLog("fold_0")
    log.add(make_epoch(1))
    log.flush()
    assert list(tmp_path.iterdir()) == []

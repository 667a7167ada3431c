"""Epochs reach a run of their own in a real MLflow database while they happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from histories import make_epoch
from mammoscan.tracking import live
from mammoscan.tracking.child_runs import list_children
from mammoscan.tracking.live import EpochLog

NAMES = {"loss", "accuracy", "learning_rate", "epoch_seconds"}


@pytest.fixture
def client(database: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(database)


@pytest.fixture
def run_id(client: mlflow.MlflowClient, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    run_id = client.create_run(client.create_experiment("x")).info.run_id
    monkeypatch.setenv(live.RUN_ID_VARIABLE, run_id)
    monkeypatch.setenv(live.TRACKING_URI_VARIABLE, database)
    return run_id


def find_training(client: mlflow.MlflowClient, run_id: str) -> mlflow.entities.Run:
    [child] = list_children(client, client.get_run(run_id))
    return child


def test_every_epoch_arrives_at_its_own_step_in_the_trainings_run(
    client: mlflow.MlflowClient, run_id: str
) -> None:
    with EpochLog("fold_0") as log:
        for number in (1, 2, 3):
            log.add(make_epoch(number))
    training = find_training(client, run_id)
    history = client.get_metric_history(training.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [
        (1, 1.0),
        (2, 0.5),
        (3, pytest.approx(1 / 3)),
    ]
    assert set(training.data.metrics) == NAMES
    assert training.info.status == "FINISHED"
    assert client.get_run(run_id).data.metrics == {}


def test_they_arrive_while_training_goes_on(
    client: mlflow.MlflowClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FLUSH_EVERY_S", 0.0)
    with EpochLog("fold_0") as log:
        log.add(make_epoch(1))
        training = find_training(client, run_id)
        assert training.data.metrics["loss"] == 1.0
        assert training.info.status == "RUNNING"


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_training_that_does_not_end_well_says_so(
    client: mlflow.MlflowClient, run_id: str, error: type[BaseException], status: str
) -> None:
    def train() -> None:
        with EpochLog("fold_0") as log:
            log.add(make_epoch(1))
            raise error

    with pytest.raises(error):
        train()
    training = find_training(client, run_id)
    assert training.info.status == status
    assert training.data.metrics["loss"] == 1.0


def test_training_goes_on_where_mlflow_takes_nothing(
    client: mlflow.MlflowClient, run_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.delete_run(run_id)
    with EpochLog("fold_0") as log:
        client.delete_run(find_training(client, run_id).info.run_id)
        log.add(make_epoch(1))
    assert "MLflow does not take the epochs of fold_0" in caplog.text


def test_what_is_no_finite_number_is_left_out(client: mlflow.MlflowClient, run_id: str) -> None:
    with EpochLog("f") as log:
        log.add(make_epoch(1, val_auc=float("nan"), val_loss=float("inf")))
    assert not set(find_training(client, run_id).data.metrics) & {"val_auc", "val_loss"}


def test_more_than_one_batch_of_metrics_arrives(client: mlflow.MlflowClient, run_id: str) -> None:
    with EpochLog("f") as log:
        for number in range(1, 1102):
            log.add(make_epoch(number))
    training = find_training(client, run_id)
    assert training.data.metrics["loss"] == pytest.approx(1 / 1101)
    assert len(client.get_metric_history(training.info.run_id, "loss")) == 1101


def test_without_a_run_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(live.RUN_ID_VARIABLE, raising=False)
    monkeypatch.setenv(live.TRACKING_URI_VARIABLE, f"sqlite:///{tmp_path}/mlflow.db")
    with EpochLog("fold_0") as log:
        log.add(make_epoch(1))
    assert list(tmp_path.iterdir()) == []

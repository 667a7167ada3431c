"""Reading runs back from an MLflow database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.tracking.child_runs import open_child
from mammoscan.tracking.runs import MOST_RUNS, find_experiments, find_runs, read_runs

PREDICTIONS = """model,fold,sample_id,patient_id,label,target,p_benign,p_malignant
cnn,0,001,p1,benign,0,0.9,0.1
texture,0,001,p1,benign,0,0.5,0.5
"""


@pytest.fixture
def tracking(database: str) -> Iterator[None]:
    former = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(database)
    yield
    mlflow.set_tracking_uri(former)


@pytest.fixture
def add_run(tracking: None, tmp_path: Path) -> Callable[..., str]:
    experiment = mlflow.MlflowClient().create_experiment("runs", artifact_location=(tmp_path / "a").as_uri())

    def add(predictions: str | None = PREDICTIONS, status: str = "FINISHED", study: str = "mias") -> str:
        with mlflow.start_run(experiment_id=experiment, tags={"study": study, "data": "real"}) as run:
            mlflow.log_params({"mias.split": "{…}", "mias.split.seed": 3, "mias.question.positive": "benign"})
            client = mlflow.MlflowClient()
            child = open_child(client, run.info.run_id, "fold_0")
            for epoch in (1, 2):
                client.log_metric(child, "loss", 1 / epoch, step=epoch)
            if predictions is not None:
                mlflow.log_text(predictions, "predictions.csv")
                mlflow.log_text(json.dumps({"cnn": {"auc": {"value": 0.7}}, "texture": {}}), "metrics.json")
        mlflow.MlflowClient().set_terminated(run.info.run_id, status)
        return run.info.run_id

    return add


def test_a_run_comes_back_with_what_it_left(add_run: Callable[..., str]) -> None:
    first, second = add_run(), add_run()
    runs, predictions = read_runs(find_runs((second, first, second), ""))
    assert [(run["name"], run["id"]) for run in runs] == [("A", second), ("B", first)]
    assert runs[0]["study"] == "mias"
    assert runs[0]["labels"] == ["benign", "malignant"]
    assert runs[0]["positive"] == "benign"
    assert runs[0]["parameters"] == {"question.positive": "benign", "split.seed": "3"}
    assert runs[0]["metrics"] == {"auc": {"value": 0.7}}
    assert runs[0]["curves"] == {"loss": {"fold_0": [[1, 1.0], [2, 0.5]]}, "val_loss": {}}
    assert predictions[["run", "model", "sample_id"]].to_numpy().tolist() == [
        ["A", "cnn", "001"],
        ["B", "cnn", "001"],
    ]


def test_a_filter_finds_finished_runs_with_predictions_the_oldest_first(add_run: Callable[..., str]) -> None:
    kept = [add_run(), add_run()]
    add_run(predictions=None)
    add_run(status="FAILED")
    add_run(study="other")
    variant = open_child(mlflow.MlflowClient(), kept[0], "without_any", tags={"study": "mias"})
    mlflow.MlflowClient().log_text(variant, PREDICTIONS, "predictions.csv")
    mlflow.MlflowClient().set_terminated(variant)
    where = find_experiments(kept[0])
    assert [run.info.run_id for run in find_runs((), 'tags.study = "mias"', where)] == kept
    assert [run.info.run_id for run in find_runs((), 'tags.study = "mias"')] == kept
    assert [run.info.run_id for run in find_runs((variant, kept[1]), "")] == [variant, kept[1]]
    assert find_experiments(None) is None


def test_what_cannot_be_compared_is_refused_in_one_line(
    add_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, empty = add_run(), add_run(predictions=None)
    for ids, condition, message in (
        ((), "", "compare.runs: found none, expected at least two"),
        ((whole,), "", "compare.runs: found 1 run, expected at least two"),
        ((whole, "nonsense"), "", "compare.runs: nonsense is no run in sqlite"),
        ((), 'tags.study = "none"', "found 0 finished run with predictions, expected at least two"),
        ((), "study ! mias", "compare.filter 'study ! mias': "),
    ):
        with pytest.raises(MammoscanError, match=message) as caught:
            find_runs(ids, condition)
        assert "\n" not in str(caught.value)
    with pytest.raises(MammoscanError, match=f"run {empty} .*: found no predictions.csv"):
        read_runs(find_runs((whole, empty), ""))
    monkeypatch.setattr("mammoscan.tracking.runs.MOST_RUNS", 1)
    with pytest.raises(MammoscanError, match="found 2 runs, expected at most 1"):
        find_runs((whole, empty), "")
    assert MOST_RUNS > 1

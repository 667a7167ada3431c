"""The runs of variants, trainings and trials under the run that was started."""

from __future__ import annotations

import mlflow
import pytest

from mammoscan.tracking.child_runs import (
    end_children,
    list_children,
    log_batch,
    mark_data,
    name_part,
    open_child,
    stamp_name,
)


@pytest.fixture
def client(database: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(database)


@pytest.fixture
def root(client: mlflow.MlflowClient) -> str:
    return client.create_run(client.create_experiment("x"), run_name="mias").info.run_id


def list_names(client: mlflow.MlflowClient, root: str) -> dict[str, str]:
    children = list_children(client, client.get_run(root))
    return {child.data.tags["part"]: child.info.run_name for child in children}


def test_a_variants_trainings_stand_under_the_variant(client: mlflow.MlflowClient, root: str) -> None:
    variant = open_child(client, root, "without_any", tags={"study": "mias.without_any"})
    fold = client.get_run(open_child(client, root, "without_any/fold_1"))
    assert fold.data.tags["mlflow.parentRunId"] == variant
    assert fold.info.run_name == "fold 2"
    assert client.get_run(variant).data.tags["mlflow.parentRunId"] == root
    assert client.get_run(variant).data.tags["study"] == "mias.without_any"


def test_without_the_run_above_a_part_stands_under_the_run_itself(
    client: mlflow.MlflowClient, root: str
) -> None:
    fold = client.get_run(open_child(client, root, "split_1/fold_0"))
    assert fold.data.tags["mlflow.parentRunId"] == root
    assert fold.info.run_name == "split 1, fold 1"


def test_a_training_that_begins_again_goes_on_in_its_run(client: mlflow.MlflowClient, root: str) -> None:
    first = open_child(client, root, "fold_0")
    client.set_terminated(first, "FAILED")
    assert open_child(client, root, "fold_0") == first
    assert client.get_run(first).info.status == "RUNNING"


def test_a_phantoms_runs_say_so_whenever_it_is_known(client: mlflow.MlflowClient, root: str) -> None:
    open_child(client, root, "without_any")
    for _ in range(2):
        mark_data(client, root, "phantom", data_fingerprint="f")
    open_child(client, root, "fold_0")
    assert client.get_run(root).info.run_name == "PHANTOM mias"
    assert client.get_run(root).data.tags["data_fingerprint"] == "f"
    assert list_names(client, root) == {"without_any": "PHANTOM without any", "fold_0": "PHANTOM fold 1"}
    assert {child.data.tags["data"] for child in list_children(client, client.get_run(root))} == {"phantom"}


def test_every_child_is_ended_however_deep(client: mlflow.MlflowClient, root: str) -> None:
    done = open_child(client, root, "fold_0")
    client.set_terminated(done)
    for part in ("without_any", "without_any/fold_0"):
        open_child(client, root, part)
    end_children(client, root, "KILLED")
    children = list_children(client, client.get_run(root))
    assert [child.info.status for child in children].count("KILLED") == 2
    assert client.get_run(done).info.status == "FINISHED"
    assert client.get_run(root).info.status == "RUNNING"


def test_more_parameters_than_mlflow_takes_at_once_arrive(client: mlflow.MlflowClient, root: str) -> None:
    log_batch(
        client, root, params=dict.fromkeys(map(str, range(250)), 1), metrics={"auc": 1.0}, tags={"a": "b"}
    )
    found = client.get_run(root).data
    assert len(found.params) == 250
    assert found.metrics == {"auc": 1.0}
    assert found.tags["a"] == "b"


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("fold_0", "fold 1"),
        ("final", "final model"),
        ("fold_2/trial_0", "fold 3, trial 1"),
        ("seed_1/fold_0", "seed 1, fold 1"),
        ("mias_author.without_copies/final", "without copies, final model"),
    ],
)
def test_a_part_is_called_as_people_count(part: str, name: str) -> None:
    assert name_part(part) == name


def test_real_data_need_no_stamp() -> None:
    assert stamp_name("mias", "real") == stamp_name("mias", None) == "mias"
    assert stamp_name("mias", "modified") == "MODIFIED DATA mias"

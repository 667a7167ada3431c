"""Nodes on Dask workers that are processes of their own, one of which is killed."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from mammoscan.errors import MammoscanError
from mammoscan.runners import DaskRunner, dask
from projects import FinishedRun, copy_project

FOLDS = ("fold_0", "fold_1")


def find_workers(parent: int) -> list[int]:
    """The worker processes of a run, which have begun to load what a training needs."""
    import psutil

    found = []
    for child in psutil.Process(parent).children():
        try:
            if "tensorflow" in Path("/proc", str(child.pid), "maps").read_text():
                found.append(child.pid)
        except OSError:
            continue
    return found


def test_a_killed_workers_fold_is_computed_again_and_all_is_as_in_a_sequential_run(
    finish_pipeline: Any, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    finished: FinishedRun = finish_pipeline("mias")
    project = copy_project(finished.project, tmp_path / "project")
    data = project.folder / "data" / "test"
    for fold in FOLDS:
        (data / "07_model_output" / "mias" / fold / "predictions.csv").unlink()
    (data / "08_reporting" / "mias" / "metrics.json").unlink()
    before = {run.info.run_id for run in project.list_runs()}
    process = project.start_kedro(
        *("run", "--env", "test", "--pipeline", "mias"),
        *("--from-nodes", ",".join(f"folds.{fold}.train_fold" for fold in FOLDS)),
        *("--to-nodes", "measuring.measure_predictions"),
        *("--runner", "mammoscan.runners.DaskRunner", "--runner-params", "n_workers=2"),
    )
    try:
        deadline = time.monotonic() + 120
        while not (workers := find_workers(process.pid)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(workers[0], signal.SIGKILL)
        output, errors = process.communicate(timeout=240)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output + errors
    assert "Traceback" not in errors
    again = FinishedRun(project, "mias", output, errors, 0)
    for entry in (*(f"mias.{fold}.predictions" for fold in FOLDS), "mias.metrics"):
        assert again.find_file(entry).read_bytes() == finished.find_file(entry).read_bytes(), entry

    [run] = [run for run in project.list_runs() if run.info.run_id not in before]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["auc"] == finished.tracked.data.metrics["auc"]
    # kedro-mlflow is not on the workers; parameters, and on what they trained, are there all the same.
    assert run.data.params["mias.training.epochs"] == finished.tracked.data.params["mias.training.epochs"]
    assert run.data.tags["device_kind"] in ("cpu", "gpu")
    assert run.data.tags["engine"] == "tensorflow"
    assert "--runner-params n_workers=2" in run.data.tags["command"]
    children = project.list_children(run.info.run_id)
    assert set(children) == set(FOLDS)
    for fold, child in children.items():
        history = again.read_json(f"mias.{fold}.history")["epochs"]
        assert child.info.status == "FINISHED"
        assert child.data.metrics["loss"] == history[-1]["loss"]


def take_the_worker_down(number: int) -> int:
    """End the process that computes this."""
    os._exit(number)


class TestWorkers:
    @pytest.fixture(scope="class")
    def cluster(self) -> Iterator[Any]:
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=0, dashboard_address=None, silence_logs=50
        ) as cluster:
            yield cluster

    def test_one_that_cannot_import_the_project_is_named_in_one_line(self, cluster: Any) -> None:
        import distributed

        def block(value: Any) -> None:
            sys.modules["mammoscan"] = value

        def forget() -> None:
            sys.modules.pop("mammoscan")

        with distributed.Client(cluster) as client:
            client.run(block, None)
            with pytest.raises(
                MammoscanError, match=r"Dask worker tcp://.*: cannot import mammoscan"
            ) as raised:
                dask.prepare_workers(client)
            assert "\n" not in str(raised.value)
            client.run(forget)
            dask.prepare_workers(client)

    @pytest.mark.slow
    def test_a_node_that_takes_every_worker_down_ends_the_run_in_one_line(self, tmp_path: Path) -> None:
        config = pytest.importorskip("dask").config
        catalog = DataCatalog({"a": MemoryDataset(1), "b": JSONDataset(filepath=str(tmp_path / "b.json"))})
        pipeline = Pipeline([Node(take_the_worker_down, "a", "b", name="make_b")])
        with (
            config.set({"distributed.scheduler.allowed-failures": 0}),
            pytest.raises(MammoscanError, match="make_b: one worker after the other died") as raised,
        ):
            DaskRunner(n_workers=1).run(pipeline, catalog)
        assert "\n" not in str(raised.value)

    def test_an_address_without_a_scheduler_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("distributed")
        monkeypatch.setattr(dask, "ANSWER_S", 0.5)
        runner = DaskRunner(address="tcp://127.0.0.1:1")
        with pytest.raises(MammoscanError, match="found no Dask scheduler there"):
            runner.run(Pipeline([]), DataCatalog())


class TestRefusals:
    def test_without_dask_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MammoscanError, match=r'pip install "mammoscan\[dask\]"'):
            DaskRunner()

    @pytest.mark.parametrize("n_workers", [0, "two"])
    def test_a_wrong_number_of_workers_is_refused(self, n_workers: Any) -> None:
        pytest.importorskip("distributed")
        with pytest.raises(MammoscanError, match=f"n_workers is {n_workers!r}, expected a whole number"):
            DaskRunner(n_workers=n_workers)

    def test_what_has_no_catalog_entry_is_refused_before_a_cluster_is_started(self) -> None:
        pytest.importorskip("distributed")
        pipeline = Pipeline(
            [Node(os.fspath, "a", "b", name="make_b"), Node(os.fspath, "b", "c", name="make_c")]
        )
        with pytest.raises(MammoscanError, match="b: found no catalog entry"):
            DaskRunner().run(pipeline, DataCatalog({"a": MemoryDataset(1)}))

"""What a run leaves in a real MLflow database."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from mammoscan.hooks import TrackingHooks, provenance_notes
from mammoscan.hooks.mlflow_results import find_variants, name_study
from mammoscan.hooks.mlflow_run import end_killed_runs, list_protocols, name_pipeline
from mammoscan.params import CropParams, PhantomParams
from mammoscan.records.dataset import DatasetRecord
from mammoscan.seals import RUN_VARIABLE
from mammoscan.tracking.child_runs import open_child
from mammoscan.tracking.flatten import flatten
from mammoscan.tracking.live import (
    PIPELINE_VARIABLE,
    RUN_ID_VARIABLE,
    STARTED_VARIABLE,
    TRACKING_URI_VARIABLE,
)
from records import make_dataset_record

RECORD = make_dataset_record(kind="phantom", fingerprint="0123456789abcdef" * 4).model_dump(mode="json")
METRICS = {"cnn": {"auc": {"value": 0.75, "low": 0.5, "high": 0.875}, "samples": 40}}


def copy(data: dict[str, Any]) -> dict[str, Any]:
    return data


def make_raw(source: str, phantom: PhantomParams) -> dict[str, Any]:
    return {}


WHOLE = Pipeline(
    [
        Node(make_raw, ["params:mias.source", "params:mias.phantom"], "mias.raw", name="open_source"),
        Node(copy, "mias.raw", "mias.metrics", name="measure_predictions"),
        Node(copy, "mias.metrics", "mias.confusion_counts", name="tabulate_confusion"),
    ]
)


class TestFlattening:
    def test_a_block_becomes_dotted_names_and_plain_values(self) -> None:
        block = {"crop": CropParams(kind="window"), "groups": [], "empty": {}}
        assert flatten(block, "mias") == {
            "mias.crop.kind": "window",
            "mias.crop.size": 48,
            "mias.crop.normals_per_scan": 3,
            "mias.crop.seed": 0,
            "mias.crop.scales": [1.0],
            "mias.groups": [],
            "mias.empty": {},
        }


class TestNames:
    @pytest.mark.parametrize(
        ("entry", "study"),
        [
            ("mias.metrics", "mias"),
            ("mias_author.metrics", "mias_author"),
            ("mias_author.without_any.fold_3.history", "mias_author.without_any"),
            ("mias_author_all.report", "mias_author_all"),
            ("mias.fold_0.rows", "mias"),
            ("compare.report", "compare"),
        ],
    )
    def test_an_entry_belongs_to_the_longest_known_study(self, entry: str, study: str) -> None:
        assert name_study(entry) == study

    @pytest.mark.parametrize(
        ("run_params", "name", "protocols"),
        [
            ({"pipeline_names": None}, "mias", ["patient"]),
            ({"pipeline_names": ["__default__"]}, "mias", ["patient"]),
            ({"pipeline_names": ["mias_normal"]}, "mias_normal", ["patient"]),
            ({"pipeline_names": ["mias_author"]}, "mias_author", ["author"]),
            ({"pipeline_names": ["mias_author_all"]}, "mias_author_all", ["author"]),
            ({"pipeline_names": ["mias", "mias_author"]}, "mias+mias_author", ["author", "patient"]),
        ],
    )
    def test_a_run_has_the_name_and_the_protocol_of_its_pipelines(
        self, run_params: dict[str, Any], name: str, protocols: list[str]
    ) -> None:
        assert name_pipeline(run_params) == name
        assert list_protocols(run_params) == protocols


def test_a_variant_is_a_study_beside_the_pipelines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PIPELINE_VARIABLE, "mias_author")
    made = {"mias.raw", "mias_author.metrics", "mias_author.without_any.fold_1.history", "mias.metrics"}
    assert find_variants(made) == {"mias": "mias", "mias_author.without_any": "without_any"}


class Session:
    """A Kedro run seen from the hooks, with kedro-mlflow's part done by hand."""

    def __init__(self, folder: Path) -> None:
        entry = {"type": "mammoscan.datasets.JSONDataset", "metadata": {"mammoscan": {}}}
        tracks = {"raw": None, "metrics": "metrics", "confusion_counts": "file"}
        self.catalog = DataCatalog.from_config(
            {
                f"mias.{name}": entry
                | {"filepath": f"{folder}/{name}.json", "metadata": {"mammoscan": {"track": track}}}
                for name, track in tracks.items()
            }
        )
        self.catalog["params:mias.source"] = "phantom"
        self.catalog["params:mias.phantom"] = PhantomParams(patients=9)
        self.folder = folder
        self.hooks = TrackingHooks()
        self.arguments = {
            "run_params": {"pipeline_names": ["mias"], "project_path": str(folder)},
            "pipeline": WHOLE,
            "catalog": self.catalog,
        }

    def start(self) -> str:
        run_id = mlflow.start_run().info.run_id
        os.environ[RUN_VARIABLE] = "this run"
        self.hooks.before_pipeline_run(**self.arguments)
        return run_id

    def write(self, **files: Any) -> None:
        for name, content in files.items():
            self.catalog.save(f"mias.{name}", content)

    def finish(self) -> None:
        self.hooks.after_pipeline_run(**self.arguments)
        mlflow.end_run()

    def fail(self, error: Exception) -> None:
        self.hooks.on_pipeline_error(error=error, **self.arguments)
        mlflow.end_run("FAILED")


@pytest.fixture
def session(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    for variable in (
        RUN_ID_VARIABLE,
        TRACKING_URI_VARIABLE,
        STARTED_VARIABLE,
        PIPELINE_VARIABLE,
        RUN_VARIABLE,
    ):
        monkeypatch.setenv(variable, "")  # so that what the hook sets is taken back
    former = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(database)
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
    )
    monkeypatch.setattr(provenance_notes, "pipelines", {"mias": WHOLE})
    handler = signal.getsignal(signal.SIGTERM)
    yield Session(tmp_path)
    while mlflow.active_run():
        mlflow.end_run()
    signal.signal(signal.SIGTERM, handler)
    mlflow.set_tracking_uri(former)


class TestRuns:
    def test_a_run_starts_with_its_flat_parameters_its_study_and_its_protocol(self, session: Session) -> None:
        run = mlflow.get_run(session.start())
        assert run.data.params == {
            "mias.phantom.patients": "9",
            "mias.phantom.seed": "7",
            "mias.phantom.workers": "2",
            "mias.source": "phantom",
        }
        assert run.data.tags["study"] == "mias"
        assert run.data.tags["protocol"] == "patient"
        assert os.environ[RUN_ID_VARIABLE] == run.info.run_id
        assert os.environ[PIPELINE_VARIABLE] == "mias"

    def test_a_run_ends_with_its_numbers_its_files_and_its_data(self, session: Session) -> None:
        run_id = session.start()
        session.write(raw=RECORD | {"folder": str(session.folder)}, metrics=METRICS, confusion_counts={})
        session.finish()
        run = mlflow.get_run(run_id)
        assert run.info.status == "FINISHED"
        assert run.data.metrics.items() >= {"auc": 0.75, "samples": 40.0}.items()
        assert run.data.tags["auc_within_folds"] == "PHANTOM 0.75 [0.50, 0.88]"
        assert run.data.tags["intervals"] == "auc [0.50, 0.88]"
        assert run.info.run_name.startswith("PHANTOM ")
        assert 0 <= run.data.metrics["seconds"] < 60
        assert run.data.tags["data"] == "phantom"
        assert run.data.tags["data_fingerprint"] == RECORD["fingerprint"]
        files = {file.path for file in mlflow.MlflowClient().list_artifacts(run_id)}
        assert files == {"metrics.json", "confusion_counts.json"}

    def test_a_run_and_what_is_under_it_end_together(self, session: Session) -> None:
        run_id = session.start()
        child = open_child(mlflow.MlflowClient(), run_id, "fold_0")
        session.finish()
        assert mlflow.get_run(child).info.status == "FINISHED"

    def test_what_the_machine_does_is_among_the_metrics(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
        run_id = session.start()
        deadline = time.monotonic() + 10
        while not (found := mlflow.get_run(run_id).data.metrics) and time.monotonic() < deadline:
            time.sleep(0.05)
        session.finish()
        assert "system/cpu_utilization_percentage" in found

    def test_the_run_is_named_as_a_phantoms_as_soon_as_that_is_known(self, session: Session) -> None:
        run_id = session.start()
        session.hooks.after_node_run(outputs={"mias.raw": DatasetRecord.model_validate(RECORD)})
        assert mlflow.get_run(run_id).info.run_name.startswith("PHANTOM ")

    def test_the_experiment_opens_on_its_runs(self, session: Session) -> None:
        run = mlflow.get_run(session.start())
        tags = mlflow.get_experiment(run.info.experiment_id).tags
        assert tags["mlflow.experimentKind"] == "custom_model_development"

    @pytest.mark.parametrize(
        ("kind", "address", "source"),
        [
            ("phantom", "", {"uri": "{folder}"}),
            ("modified", "http://example.org/a.tar.gz", {"uri": "{folder}"}),
            ("real", "http://example.org/a.tar.gz", {"url": "http://example.org/a.tar.gz"}),
        ],
    )
    def test_only_published_files_are_said_to_come_from_the_publishers_address(
        self, session: Session, kind: str, address: str, source: dict[str, str]
    ) -> None:
        run_id = session.start()
        folder = str(session.folder)
        session.write(raw=RECORD | {"kind": kind, "address": address, "folder": folder})
        session.finish()
        [logged] = mlflow.get_run(run_id).inputs.dataset_inputs
        assert logged.dataset.name == f"mias ({kind})"
        assert RECORD["fingerprint"].startswith(logged.dataset.digest)
        found = json.loads(logged.dataset.source)
        assert found == {key: value.replace("{folder}", folder) for key, value in source.items()}

    def test_a_failed_run_is_tagged_with_its_error(self, session: Session) -> None:
        run_id = session.start()
        child = open_child(mlflow.MlflowClient(), run_id, "fold_0")
        session.fail(ValueError("mias.source is '/x': nothing there"))
        assert mlflow.get_run(child).info.status == "FAILED"
        run = mlflow.get_run(run_id)
        assert run.info.status == "FAILED"
        assert run.data.tags["error"] == "ValueError: mias.source is '/x': nothing there"

    def test_a_run_that_failed_before_it_found_its_data_is_not_tagged_with_what_lay_there(
        self, session: Session
    ) -> None:
        session.write(raw=RECORD | {"folder": str(session.folder)})
        an_hour_ago = time.time() - 3600
        os.utime(session.folder / "raw.json", (an_hour_ago, an_hour_ago))
        run_id = session.start()
        session.fail(ValueError())
        assert "data" not in mlflow.get_run(run_id).data.tags

    def test_a_run_whose_results_cannot_be_sent_is_failed_too(
        self, session: Session, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: Any, **kwargs: Any) -> None:
            raise ValueError("no metric")

        run_id = session.start()
        session.write(metrics=METRICS)
        monkeypatch.setattr(mlflow, "log_metrics", refuse)
        with pytest.raises(ValueError, match="no metric"):
            session.finish()
        run = mlflow.get_run(run_id)
        assert run.info.status == "FAILED"
        assert run.data.tags["error"] == "ValueError: no metric"

    def test_a_file_that_another_process_changed_is_not_sent(
        self, session: Session, caplog: pytest.LogCaptureFixture
    ) -> None:
        run_id = session.start()
        session.write(metrics=METRICS)
        (session.folder / "metrics.json").write_text(
            '{"cnn": {"auc": {"value": 0.9, "low": 0.8, "high": 1.0}}}'
        )
        session.finish()
        assert "auc" not in mlflow.get_run(run_id).data.metrics
        assert "metrics.json was changed while the run went on" in caplog.text

    def test_without_mlflow_the_hooks_stand_aside(self, session: Session) -> None:
        session.hooks.before_pipeline_run(**session.arguments)
        session.hooks.after_pipeline_run(**session.arguments)
        session.hooks.on_pipeline_error(error=ValueError(), **session.arguments)
        assert RUN_ID_VARIABLE not in os.environ
        assert mlflow.search_runs(output_format="list") == []


class TestInterruption:
    def test_the_children_of_a_killed_process_are_ended_with_its_run(self, session: Session) -> None:
        run_id = session.start()
        child = open_child(mlflow.MlflowClient(), run_id, "fold_0")
        end_killed_runs([run_id, "no such run"])
        assert [mlflow.get_run(one).info.status for one in (run_id, child)] == ["KILLED", "KILLED"]

    def test_a_run_that_was_interrupted_in_a_notebook_is_killed_when_the_next_starts(
        self, session: Session
    ) -> None:
        run_id = session.start()
        child = open_child(mlflow.MlflowClient(), run_id, "fold_0")
        session.hooks.after_context_created(context=None)
        assert mlflow.get_run(run_id).info.status == "KILLED"
        assert mlflow.get_run(child).info.status == "KILLED"
        assert mlflow.active_run() is None

    def test_a_run_that_ended_is_not_ended_again(self, session: Session) -> None:
        run_id = session.start()
        session.finish()
        session.hooks.after_context_created(context=None)
        assert mlflow.get_run(run_id).info.status == "FINISHED"

    def test_another_process_does_not_end_it(self, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        run_id = session.start()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        session.hooks.after_context_created(context=None)
        assert mlflow.get_run(run_id).info.status == "RUNNING"

    def test_kill_interrupts_only_while_a_run_is_open(self, session: Session) -> None:
        former = signal.getsignal(signal.SIGTERM)
        session.start()
        with pytest.raises(SystemExit, match=r"143"):
            signal.raise_signal(signal.SIGTERM)
        session.finish()
        assert signal.getsignal(signal.SIGTERM) is former
        assert sys.exc_info() == (None, None, None)

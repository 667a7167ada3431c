"""How an MLflow run ends where Kedro does not announce its end: by Ctrl-C, by ``kill``, by an error in a hook."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.data.sources import LocalArtifactDatasetSource

from mammoscan.datasets.run_info import read_command, read_commit
from mammoscan.hooks.privacy import PRIVACY
from mammoscan.hooks.provenance_notes import find_file, find_registered
from mammoscan.hooks.run_lock import RUN_LOCK
from mammoscan.provenance import RUN_PARAMETERS
from mammoscan.records.card import Card
from mammoscan.records.dataset import DatasetRecord
from mammoscan.seals import RUN_VARIABLE, read_seal
from mammoscan.studies import STUDIES
from mammoscan.tracking.flatten import flatten, flatten_metrics
from mammoscan.tracking.headline import EXPERIMENT_KIND, NETWORK, describe_headline, write_description
from mammoscan.tracking.live import (
    COMMAND_VARIABLE,
    PIPELINE_VARIABLE,
    RUN_ID_VARIABLE,
    STARTED_VARIABLE,
    TRACKING_URI_VARIABLE,
)
from mammoscan.tracking.machine import describe_machines

LONGEST_ERROR = 5000


def describe_error(error: Exception) -> str:
    """Return the kind and the text of an error, short enough for a tag."""
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


class RunGuard:
    """Watches one MLflow run, so that it ends as killed or failed and neither stays running nor counts as finished."""

    def __init__(self) -> None:
        self._open: tuple[int, str] | None = None
        self._former_handler: Any = None
        # MLflow's own handler, registered before this one and thus called later, would call the run finished.
        atexit.register(self.end_interrupted)

    def watch(self, run_id: str) -> None:
        """Remember the run; ``kill`` interrupts the process from now on as Ctrl-C does."""
        self._open = (os.getpid(), run_id)
        if threading.current_thread() is threading.main_thread():
            self._former_handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    def release(self) -> None:
        """Forget the run: its end is known."""
        self._open = None
        if self._former_handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._former_handler)
        self._former_handler = None

    def end_interrupted(self) -> None:
        """End a run as killed if it is still watched."""
        # A forked worker inherits the mark, but the run is not its own.
        if self._open is None or self._open[0] != os.getpid():
            return
        run_id = self._open[1]
        self.release()
        active = mlflow.active_run()
        if active is not None and active.info.run_id == run_id:
            mlflow.end_run("KILLED")

    @contextmanager
    def fail_run(self) -> Iterator[None]:
        """End the run as failed where the block raises: Kedro announces only the errors of nodes."""
        try:
            yield
        except Exception as error:
            self.release()
            mlflow.set_tag("error", describe_error(error))
            mlflow.end_run("FAILED")
            raise


logger = logging.getLogger("mammoscan")

LONGEST_PARAMETER = 500
# What a person opens after a run: a study's report, and what predict answers.
PRINTED = (".report", ".answers", ".answers_table", ".scan_regions", ".gallery")


def name_pipeline(run_params: Mapping[str, Any]) -> str:
    """Return the name under which the run was started, ``mias`` where none was given."""
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
    return "mias" if names[0] in (None, "__default__") else "+".join(names)


def name_study(entry: str) -> str:
    """Return the study or data set to which a catalog entry belongs: the longest known name before a dot."""
    known = [
        name for name in (*STUDIES, *(s.dataset for s in STUDIES.values())) if entry.startswith(f"{name}.")
    ]
    return max(known, key=len, default=entry.split(".")[0])


def read_parameters(pipeline: Pipeline, catalog: CatalogProtocol) -> dict[str, str]:
    """Return all parameters that a pipeline reads under flat names, short enough for MLflow."""
    flat: dict[str, Any] = {}
    for name in sorted(pipeline.inputs()):
        if not name.startswith("params:") or name.startswith(RUN_PARAMETERS):
            continue
        flat |= flatten(catalog.load(name), name.removeprefix("params:"))
    return {key: str(value)[:LONGEST_PARAMETER] for key, value in flat.items()}


def list_protocols(run_params: Mapping[str, Any]) -> list[str]:
    """Return the protocols of the studies that a run was started for, variants included."""
    asked = name_pipeline(run_params).split("+")
    return sorted(
        {
            study.protocol
            for study in STUDIES.values()
            if any(study.name == name or study.name.startswith(f"{name}.") for name in asked)
        }
    )


def end_killed_runs(run_ids: list[str]) -> None:
    """End MLflow's runs of processes that were killed; they would say RUNNING for ever."""
    client = mlflow.MlflowClient()
    for run_id in run_ids:
        with contextlib.suppress(mlflow.exceptions.MlflowException):
            if client.get_run(run_id).info.status == "RUNNING":
                client.set_terminated(run_id, "KILLED")


def is_of_this_run(file: Path) -> bool:
    """Return whether a file holds what this run wrote there."""
    seal = read_seal(file)
    return seal is not None and (seal.run or "") in os.environ.get(RUN_VARIABLE, "").split(",")


class TrackingHooks:
    """Tells MLflow what kedro-mlflow does not: flat parameters, data, protocol, results, files, how the run ended."""

    def __init__(self) -> None:
        self._guard = RunGuard()

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """End a run that was interrupted in this process, a notebook say, or kedro-mlflow would go on in it."""
        self._guard.end_interrupted()

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Write down with what the run starts; kedro-mlflow has opened it by now."""
        os.environ[STARTED_VARIABLE] = str(time.time())
        os.environ[PIPELINE_VARIABLE] = name_pipeline(run_params)
        os.environ[COMMAND_VARIABLE] = read_command() or ""
        os.environ.pop(RUN_ID_VARIABLE, None)
        run = mlflow.active_run()
        if run is None:
            return
        os.environ[RUN_ID_VARIABLE] = run.info.run_id
        os.environ[TRACKING_URI_VARIABLE] = mlflow.get_tracking_uri()
        self._guard.watch(run.info.run_id)
        RUN_LOCK.note_mlflow_run(run.info.run_id)
        end_killed_runs(RUN_LOCK.killed)
        with self._guard.fail_run():
            self._describe_run(run_params, pipeline, catalog)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Send what the run left behind, before kedro-mlflow closes the run."""
        if mlflow.active_run() is None:
            return
        with self._guard.fail_run():
            self._send_results(run_params, pipeline, catalog)
        self._guard.release()

    @hook_impl(tryfirst=True)
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Note the error, before kedro-mlflow closes the run as failed."""
        self._guard.release()
        if mlflow.active_run() is not None:
            mlflow.set_tag("error", describe_error(error))
            self._tag_data(run_params, pipeline, catalog)

    @staticmethod
    def _describe_run(run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        flat = read_parameters(pipeline, catalog)
        # kedro-mlflow logs single values itself, and a second value under one name would be refused.
        mlflow.log_params({key: flat[key] for key in flat if f"params:{key}" not in pipeline.inputs()})
        tags = {
            "study": name_pipeline(run_params),
            "protocol": ", ".join(list_protocols(run_params)),
            "mlflow.source.git.commit": read_commit(Path(run_params["project_path"])),
            "command": read_command(),
        }
        mlflow.set_tags({key: value for key, value in tags.items() if value})
        run = mlflow.active_run()
        if run is not None:
            client = mlflow.MlflowClient()
            for key, value in EXPERIMENT_KIND.items():
                client.set_experiment_tag(run.info.experiment_id, key, value)

    def _send_results(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        self._tag_data(run_params, pipeline, catalog)
        made = sorted(pipeline.all_outputs())
        # Where nodes ran on a cluster, kedro-mlflow was not there to log single values.
        logged = mlflow.get_run(os.environ[RUN_ID_VARIABLE]).data.params
        flat = read_parameters(pipeline, catalog)
        mlflow.log_params({key: flat[key] for key in flat if key not in logged})
        histories = (find_file(catalog, name) for name in made if name.endswith(".history"))
        mlflow.set_tags(describe_machines(file for file in histories if file is not None and file.is_file()))
        main = name_pipeline(run_params)
        # MLflow ties later metrics to a model by itself; of earlier ones it reads each whole history first.
        self._log_model(main, catalog, made)
        for name in made:
            track = (getattr(catalog.get(name), "metadata", None) or {}).get("mammoscan", {}).get("track")
            file = find_file(catalog, name)
            if not track or file is None or not file.is_file():
                continue
            if not is_of_this_run(file):
                logger.warning("%s was changed while the run went on: it is not sent to MLflow", file)
                continue
            variant = name_study(name).removeprefix(main).lstrip(".")
            mlflow.log_artifact(str(file), artifact_path=variant or None)
            if track == "metrics":
                prefix = f"{variant}/" if variant else ""
                metrics = json.loads(file.read_text())
                mlflow.log_metrics(flatten_metrics(metrics, prefix))
                if name in (f"{main}.metrics", f"{main}.lockbox.metrics"):
                    self._tag_headline(metrics, run_params, catalog, f"{main}.report" in made)
        mlflow.log_metric("seconds", time.time() - float(os.environ[STARTED_VARIABLE]))
        self._say_where(made, catalog)

    @staticmethod
    def _tag_data(run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Tag the run with the kind of data and log each data set with its fingerprint."""
        made = pipeline.all_outputs()
        for name in find_registered(run_params).datasets():
            file = find_file(catalog, name) if name.endswith(".raw") else None
            if file is None or not file.is_file():
                continue
            if name in made and not is_of_this_run(file):
                continue  # the run failed before it wrote this record: the one that lies here is of other data
            record = DatasetRecord.model_validate_json(file.read_text(encoding="utf-8"))
            mlflow.set_tag("data", record.kind)
            mlflow.set_tag("data_fingerprint", record.fingerprint)
            # Only the published files are what lies at the address.
            source = (
                HTTPDatasetSource(record.address)
                if record.kind == "real" and record.address
                else LocalArtifactDatasetSource(record.folder)
            )
            dataset = MetaDataset(
                source, name=f"{record.dataset} ({record.kind})", digest=record.fingerprint[:16]
            )
            mlflow.log_input(dataset, context="training")

    @staticmethod
    def _tag_headline(
        metrics: dict[str, Any], run_params: dict[str, Any], catalog: CatalogProtocol, report: bool
    ) -> None:
        """Say the headline in the list of runs and on top of the run's page."""
        if "auc" not in metrics.get(NETWORK, {}):
            return
        files = (
            find_file(catalog, name)
            for name in find_registered(run_params).datasets()
            if name.endswith(".raw")
        )
        file = next((file for file in files if file is not None and file.is_file()), None)
        record = None if file is None else DatasetRecord.model_validate_json(file.read_text(encoding="utf-8"))
        columns = describe_headline(metrics, record)
        mlflow.set_tags(columns | {"mlflow.note.content": write_description(columns, record, report)})

    @staticmethod
    def _log_model(main: str, catalog: CatalogProtocol, made: list[str]) -> None:
        """Log the model that a run hands on: the final one, or the single one of an article's procedure."""
        study = STUDIES.get(main)
        if study is None:
            return
        entry = f"{main}.final.model" if study.protocol == "patient" else f"{main}.fold_0.model"
        network = find_file(catalog, entry)
        if entry not in made or network is None or not network.is_file():
            return
        card = find_file(catalog, f"{main}.card")
        if f"{main}.card" not in made or card is None or not card.is_file():
            return
        from mammoscan.serving.log_model import log_model
        from mammoscan.serving.model_files import MODEL_CARD, OUT_OF_DISTRIBUTION

        entries = {OUT_OF_DISTRIBUTION: "final.out_of_distribution", MODEL_CARD: "model_card"}
        paths = {file: find_file(catalog, f"{main}.{entry}") for file, entry in entries.items()}
        with tempfile.TemporaryDirectory() as folder:
            files = {file: path for file, path in paths.items() if path is not None and path.is_file()}
            if PRIVACY.pseudonyms is not None:
                files = {
                    name: PRIVACY.pseudonyms.scrub_file(path, Path(folder)) for name, path in files.items()
                }
            content = PRIVACY.scrub(card.read_text(encoding="utf-8"))
            log_model(network, Card.model_validate_json(content), files)

    @staticmethod
    def _say_where(made: list[str], catalog: CatalogProtocol) -> None:
        for name in made:
            if name.endswith(PRINTED):
                logger.info("%s: %s", name.rpartition(".")[2].replace("_", " "), find_file(catalog, name))
        logger.info("compare runs: mlflow ui --backend-store-uri %s", mlflow.get_tracking_uri())

"""How an MLflow run ends where Kedro does not announce its end: by Ctrl-C, by ``kill``, by an error in a hook."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
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
from kedro_mlflow.framework.hooks.mlflow_hook import mlflow_hook

from mammoscan.datasets.run_info import read_command, read_commit
from mammoscan.hooks.mlflow_results import RunResults, find_variants, is_of_this_run
from mammoscan.hooks.provenance_notes import find_file, find_registered
from mammoscan.hooks.run_lock import RUN_LOCK
from mammoscan.provenance import RUN_PARAMETERS
from mammoscan.records.card import PackagedModel
from mammoscan.records.dataset import DatasetRecord
from mammoscan.studies import STUDIES
from mammoscan.tracking.child_runs import end_children, log_batch, open_child
from mammoscan.tracking.dataset_input import DatasetInput
from mammoscan.tracking.flatten import flatten
from mammoscan.tracking.headline import EXPERIMENT_TAGS
from mammoscan.tracking.live import (
    COMMAND_VARIABLE,
    PIPELINE_VARIABLE,
    RUN_ID_VARIABLE,
    STARTED_VARIABLE,
    TRACKING_URI_VARIABLE,
    mark_run,
)
from mammoscan.tracking.machine import SystemMonitor

LONGEST_ERROR = 5000


def describe_error(error: Exception) -> str:
    """Return the kind and the text of an error, short enough for a tag."""
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


class RunGuard:
    """Watches one MLflow run, so that it ends as killed or failed and neither stays running nor counts as finished."""

    def __init__(self) -> None:
        self._open: tuple[int, str] | None = None
        self._monitor: SystemMonitor | None = None
        self._former_handler: Any = None
        # MLflow's own handler, registered before this one and thus called later, would call the run finished.
        atexit.register(self.end_interrupted)

    def watch(self, run_id: str) -> None:
        """Remember the run; ``kill`` interrupts the process from now on as Ctrl-C does."""
        self._open = (os.getpid(), run_id)
        if threading.current_thread() is threading.main_thread():
            self._former_handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    def monitor(self) -> None:
        """Log what the machine does while the run goes on: processor, memory, disk, network, graphics card."""
        if self._open is not None:
            self._monitor = SystemMonitor(self._open[1])
            self._monitor.start()

    def end_parts(self, status: str) -> None:
        """End what goes on under the run: its children and the monitor."""
        if self._open is not None:
            self._stop_monitor()
            end_children(mlflow.MlflowClient(), self._open[1], status)

    def _stop_monitor(self) -> None:
        if self._monitor is not None:
            self._monitor.finish()
        self._monitor = None

    def release(self) -> None:
        """Forget the run: its end is known."""
        self._stop_monitor()
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
        active = mlflow.active_run()
        if active is not None and active.info.run_id == run_id:
            self.end_parts("KILLED")
            mlflow.end_run("KILLED")
        self.release()

    @contextmanager
    def fail_run(self) -> Iterator[None]:
        """End the run as failed where the block raises: Kedro announces only the errors of nodes."""
        try:
            yield
        except Exception as error:
            mlflow.set_tag("error", describe_error(error))
            self.end_parts("FAILED")
            self.release()
            mlflow.end_run("FAILED")
            raise


logger = logging.getLogger("mammoscan")

LONGEST_PARAMETER = 500
# What a person opens after a run: a study's report, and what predict answers.
PRINTED = (".report", ".answers", ".answers_table", ".scan_regions", ".gallery")
# What kedro-mlflow says of a run: another id than the run's, an object's address, the command without its parameters.
USELESS_TAGS = ("run_id", "runner", "kedro_command", "project_path")


def name_pipeline(run_params: Mapping[str, Any]) -> str:
    """Return the name under which the run was started, ``mias`` where none was given."""
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
    return "mias" if names[0] in (None, "__default__") else "+".join(names)


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


def read_records(
    run_params: Mapping[str, Any], made: set[str], catalog: CatalogProtocol
) -> list[DatasetRecord]:
    """Return the records of the data that a run is about.

    One that the run makes, but has not made yet, is left out: what lies there is of another run's data.
    """
    records = []
    for name in sorted(find_registered(dict(run_params)).datasets()):
        file = find_file(catalog, name) if name.endswith(".raw") else None
        if file is not None and file.is_file() and (name not in made or is_of_this_run(file)):
            records.append(DatasetRecord.model_validate_json(file.read_text(encoding="utf-8")))
    return records


def end_killed_runs(run_ids: list[str]) -> None:
    """End MLflow's runs of processes that were killed, and those under them; they would say RUNNING for ever."""
    client = mlflow.MlflowClient()
    for run_id in run_ids:
        with contextlib.suppress(mlflow.exceptions.MlflowException):
            end_children(client, run_id, "KILLED")
            if client.get_run(run_id).info.status == "RUNNING":
                client.set_terminated(run_id, "KILLED")


class TrackingHooks:
    """Tells MLflow what kedro-mlflow does not: flat parameters, data, protocol, results, files, how the run ended."""

    def __init__(self) -> None:
        self._guard = RunGuard()

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """End a run that was interrupted in this process, a notebook say, or kedro-mlflow would go on in it."""
        self._guard.end_interrupted()
        # It would write every parameter of every node in a transaction of its own; all go in one batch instead.
        mlflow_hook._log_param = lambda *_: None

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
            self._mark(run_params, pipeline.all_outputs(), catalog)
            self._guard.monitor()

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Send what the run left behind, before kedro-mlflow closes the run."""
        if mlflow.active_run() is None:
            return
        made = pipeline.all_outputs()
        with self._guard.fail_run():
            RunResults(name_pipeline(run_params), made, catalog, self._mark(run_params, made, catalog)).send()
            for name in sorted(made):
                if name.endswith(PRINTED):
                    logger.info("%s: %s", name.rpartition(".")[2].replace("_", " "), find_file(catalog, name))
            logger.info("compare runs: mammoscan ui (MLflow's store is %s)", mlflow.get_tracking_uri())
            self._guard.end_parts("FINISHED")
        self._guard.release()

    @hook_impl(tryfirst=True)
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Note the error, before kedro-mlflow closes the run as failed."""
        if mlflow.active_run() is not None:
            mlflow.set_tag("error", describe_error(error))
            for record in self._mark(run_params, pipeline.all_outputs(), catalog):
                mlflow.log_input(DatasetInput(record, None), context="training")
            self._guard.end_parts("FAILED")
        self._guard.release()

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Say of which kind the data are as soon as that is known, in whichever process it is."""
        for value in outputs.values():
            if isinstance(value, DatasetRecord):
                mark_run(value.kind, data_fingerprint=value.fingerprint)
            elif isinstance(value, PackagedModel):
                mark_run(value.card.data)

    @staticmethod
    def _mark(run_params: dict[str, Any], made: set[str], catalog: CatalogProtocol) -> list[DatasetRecord]:
        """Tag the run with its data, as far as they are known, and return their records."""
        records = read_records(run_params, made, catalog)
        for record in records:
            mark_run(record.kind, data_fingerprint=record.fingerprint)
        return records

    @staticmethod
    def _describe_run(run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        run = mlflow.active_run()
        assert run is not None
        client = mlflow.MlflowClient()
        commit, command = read_commit(Path(run_params["project_path"])), read_command()
        about = {
            key: value
            for key, value in {"mlflow.source.git.commit": commit, "command": command}.items()
            if value
        }
        flat = read_parameters(pipeline, catalog)
        for study, variant in find_variants(pipeline.all_outputs()).items():
            own = {key: flat.pop(key) for key in list(flat) if key.startswith(f"{study}.")}
            known = {"study": study, "protocol": STUDIES[study].protocol}
            child = open_child(client, run.info.run_id, variant, tags=known | about)
            log_batch(client, child, params=own)
        protocols = ", ".join(list_protocols(run_params))
        tags = {"study": name_pipeline(run_params), **({"protocol": protocols} if protocols else {}), **about}
        log_batch(client, run.info.run_id, params=flat, tags=tags)
        for key in set(USELESS_TAGS) & set(client.get_run(run.info.run_id).data.tags):
            client.delete_tag(run.info.run_id, key)
        for key, value in EXPERIMENT_TAGS.items():
            client.set_experiment_tag(run.info.experiment_id, key, value)

"""The project's configuration, and copies of the project that commands can be run in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from filelock import FileLock
from kedro.io import DataCatalog

from mammoscan.pipeline_registry import register_pipelines
from mammoscan.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS
from mammoscan.studies import EXPERIMENTS, STUDIES
from mammoscan.tracking.child_runs import PARENT, PART
from mammoscan.tracking.child_runs import ROOT as ROOT_RUN

ROOT = Path(__file__).resolve().parents[1]

LoadConf = Callable[..., CONFIG_LOADER_CLASS]


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep the tests' other processes out of a folder."""
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        yield


def load_project_conf(env: str = "base", **runtime_params: Any) -> CONFIG_LOADER_CLASS:
    return CONFIG_LOADER_CLASS(
        str(ROOT / "conf"), env=env, runtime_params=runtime_params or None, **CONFIG_LOADER_ARGS
    )


class Project:
    """A project of its own: nothing that is run here touches the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracking_uri = f"sqlite:///{folder / 'mlflow.db'}"
        # KEDRO_ENV and MLflow's variables of the person who runs the tests must not leak in.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KEDRO", "MLFLOW", "MAMMOSCAN"))
        } | {"COLUMNS": "200"}

    def start_kedro(self, *words: str) -> subprocess.Popen[str]:
        """Start Kedro in a process group of its own, as a terminal does."""
        return self._start("kedro", *words)

    def start_command(self, *words: str) -> subprocess.Popen[str]:
        """Start ``mammoscan``."""
        return self._start("mammoscan.commands", *words)

    def _start(self, module: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run_pipeline(self, pipeline: str, *words: str) -> FinishedRun:
        """Run a pipeline at toy size; it must end well. In one project one runs at a time."""
        with lock_folder(self.folder):
            started = time.monotonic()
            process = self.start_kedro("run", "--env", "test", "--pipeline", pipeline, *words)
            output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, output + errors
        return FinishedRun(self, pipeline, output, errors, time.monotonic() - started)

    def list_runs(self) -> list[mlflow.entities.Run]:
        """Those that were started, the newest first."""
        return [run for run in self._search_runs() if PARENT not in run.data.tags]

    def list_children(self, run_id: str) -> dict[str, mlflow.entities.Run]:
        """The runs under a run, by what part of it they are."""
        return {
            run.data.tags[PART]: run for run in self._search_runs() if run.data.tags.get(ROOT_RUN) == run_id
        }

    def _search_runs(self) -> list[mlflow.entities.Run]:
        client = mlflow.MlflowClient(self.tracking_uri)
        return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def copy_project(finished: Project, folder: Path) -> Project:
    """Take over what finished runs left, but for scans and MLflow's artifacts.

    Each pipeline makes the data set's entries anew, so what one left may be older than another's copy of its inputs;
    here all files get one age, and a part of any pipeline can be run again.
    """
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns("*.pgm", "mlartifacts", "*.ckpt*"))
    now = time.time()
    for file in folder.rglob("data/**/*"):
        os.utime(file, (now, now))
    return Project(folder)


def make_project(folder: Path) -> Project:
    """Copy the project's configuration, without any data."""
    # Kedro wants the source folder to be there; the package itself is the installed one.
    (folder / "src").mkdir(parents=True)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    return Project(folder)


@cache
def find_entries() -> DataCatalog:
    return DataCatalog.from_config(load_project_conf("test")["catalog"])


@dataclass(frozen=True)
class FinishedRun:
    """What a pipeline left behind."""

    project: Project
    pipeline: str
    output: str
    errors: str
    seconds: float

    def list_outputs(self) -> list[str]:
        return sorted(register_pipelines()[self.pipeline].all_outputs())

    def find_file(self, entry: str) -> Path:
        data = Path(load_project_conf("test")["globals"]["data"])
        file = Path(find_entries().get(entry)._filepath)
        return self.project.folder / "data" / "test" / file.relative_to(data)

    def read_json(self, entry: str) -> Any:
        return json.loads(self.find_file(entry).read_text())

    def read_table(self, entry: str) -> pd.DataFrame:
        file = self.find_file(entry)
        return pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)

    def get_tracked(self, study: str) -> mlflow.entities.Run:
        """The MLflow run of a study: the pipeline's own, or that of a variant under it."""
        if study == self.pipeline:
            return self.tracked
        return self.project.list_children(self.tracked.info.run_id)[study.removeprefix(f"{self.pipeline}.")]

    @cached_property
    def tracked(self) -> mlflow.entities.Run:
        """Its MLflow run: there must be exactly one."""
        [run] = [run for run in self.project.list_runs() if run.data.tags["study"] == self.pipeline]
        return run


class SharedRuns:
    """Finished pipelines that all processes of the tests share: one project for each data set.

    A pipeline is run by the first that asks for it; others wait for it, and read what it said from a file. One that
    failed is not run again.
    """

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder = folder
        self.database = database
        self.done: dict[str, FinishedRun] = {}

    def finish(self, pipeline: str) -> FinishedRun:
        if pipeline not in self.done:
            self.folder.mkdir(exist_ok=True)
            with lock_folder(self.folder / pipeline):
                self.done[pipeline] = self._run_or_read(pipeline)
        return self.done[pipeline]

    def _run_or_read(self, pipeline: str) -> FinishedRun:
        record = self.folder / f"{pipeline}.json"
        project = self._open_project(pipeline)
        if record.exists():
            said = json.loads(record.read_text())
            assert "failed" not in said, said["failed"]
            return FinishedRun(project, pipeline, **said)
        try:
            run = project.run_pipeline(pipeline)
        except BaseException as error:
            record.write_text(json.dumps({"failed": str(error)}))
            raise
        said = {"output": run.output, "errors": run.errors, "seconds": run.seconds}
        record.write_text(json.dumps(said))
        return run

    def _open_project(self, pipeline: str) -> Project:
        study = STUDIES.get(pipeline) or STUDIES[f"{pipeline}.{EXPERIMENTS[0]}"]
        folder = self.folder / f"project_{study.dataset}"
        with lock_folder(folder):
            if folder.exists():
                return Project(folder)
            shutil.copy(self.database, make_project(folder).folder / "mlflow.db")
            return Project(folder)

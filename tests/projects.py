"""The project's configuration, and copies of the project that commands can be run in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
from kedro.config import OmegaConfigLoader

from mammoscan.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).resolve().parents[1]

LoadConf = Callable[..., OmegaConfigLoader]


def load_project_conf(env: str = "base", **runtime_params: Any) -> OmegaConfigLoader:
    return OmegaConfigLoader(
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
        """Start a command in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [sys.executable, "-m", "kedro", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def list_runs(self) -> list[mlflow.entities.Run]:
        client = mlflow.MlflowClient(self.tracking_uri)
        return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def make_project(folder: Path) -> Project:
    """Copy the project's configuration, without any data."""
    # Kedro wants the source folder to be there; the package itself is the installed one.
    (folder / "src").mkdir(parents=True)
    (folder / "data").mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    return Project(folder)

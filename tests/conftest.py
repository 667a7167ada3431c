"""A copy of the project, its configuration, and an MLflow database."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import mlflow
import pytest

from projects import FinishedRun, LoadConf, Project, load_project_conf, make_project

pytest.register_assert_rewrite("end_to_end")


@pytest.fixture
def load_conf() -> LoadConf:
    """The project's own configuration: ``base`` alone or with another environment over it."""
    return load_project_conf


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the project's configuration with no data."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finish_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FinishedRun]:
    """Tells what a pipeline left behind; all run in one project, each once, when it is first asked for."""
    project = make_project(tmp_path_factory.mktemp("finished") / "project")
    return cache(project.run_pipeline)


@pytest.fixture(scope="session")
def finished_project(finish_pipeline: Callable[[str], FinishedRun]) -> Project:
    """A project in which `mias` was run at toy size, once for all tests; they must not change it."""
    return finish_pipeline("mias").project


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with nothing in it; making one takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> str:
    """The address of an MLflow database of the test's own."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"

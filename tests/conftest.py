"""A copy of the project, its configuration, an MLflow database, and the finished runs that tests share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from projects import FinishedRun, LoadConf, Project, SharedRuns, load_project_conf, lock_folder, make_project

pytest.register_assert_rewrite("end_to_end")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow whatever needs a finished pipeline."""
    for item in items:
        if "finish_pipeline" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def load_conf() -> LoadConf:
    """The project's own configuration: ``base`` alone or with another environment over it."""
    return load_project_conf


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the project's configuration with no data."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finish_pipeline(shared_folder: Path, empty_database: Path) -> Callable[[str], FinishedRun]:
    """Run a pipeline, once for all tests of all processes, and return what it left; no test may change it."""
    return SharedRuns(shared_folder / "projects", empty_database).finish


@pytest.fixture(scope="session")
def finished_project(finish_pipeline: Callable[[str], FinishedRun]) -> Project:
    """A project in which `mias` was run at toy size, once for all tests; they must not change it."""
    return finish_pipeline("mias").project


@pytest.fixture(scope="session")
def empty_database(shared_folder: Path) -> Path:
    """An MLflow database with nothing in it; making one takes seconds."""
    file = shared_folder / "empty.db"
    with lock_folder(shared_folder):
        if not file.exists():
            mlflow.MlflowClient(f"sqlite:///{file}.part").search_experiments()
            Path(f"{file}.part").rename(file)
    return file


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> str:
    """The address of an MLflow database of the test's own."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"

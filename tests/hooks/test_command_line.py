"""What a person sees, and what MLflow keeps, when a command goes wrong: real processes in a project of their own."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from projects import Project, make_project

MIAS = ("run", "--env", "test", "--pipeline", "mias", "--params")


@pytest.mark.slow
def test_a_run_without_its_data_says_so_in_one_line_and_is_failed_in_mlflow(
    project: Project, empty_database: Path
) -> None:
    shutil.copy(empty_database, project.folder / "mlflow.db")
    process = project.start_kedro(*MIAS, "mias.source=/nonexistent")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in output + errors
    [line] = [line for line in errors.splitlines() if line.startswith("Error:")]
    assert line.startswith("Error: mias.source is '/nonexistent': nothing there")
    [run] = project.list_runs()
    assert run.info.status == "FAILED"
    assert run.data.tags["error"].startswith("MammoscanError: mias.source is '/nonexistent'")
    assert run.data.tags["command"].endswith("--params mias.source=/nonexistent")
    assert "data" not in run.data.tags


@pytest.mark.slow
def test_a_wrong_value_is_refused_in_one_line_before_anything_is_written(project: Project) -> None:
    process = project.start_kedro(*MIAS, "mias.crop.kind=circle")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert output + errors == "Error: mias.crop.kind is 'circle', expected 'window' or 'radius'\n"
    assert sorted(path.name for path in project.folder.iterdir()) == ["conf", "data", "pyproject.toml", "src"]


@pytest.mark.slow
def test_a_mistyped_pipeline_is_named_in_one_line_with_the_likely_one(project: Project) -> None:
    process = project.start_kedro("run", "--env", "test", "--pipeline", "mais")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in output + errors
    [line] = [line for line in errors.splitlines() if line.startswith("Error:")]
    assert line == "Error: --pipeline mais: there is no such pipeline; did you mean mias?"


@pytest.mark.slow
def test_missing_first_weights_are_refused_before_any_image_is_packed(project: Project) -> None:
    weights = "breakhis.training.network.weights=/nonexistent.weights.h5"
    process = project.start_kedro("run", "--env", "test", "--pipeline", "breakhis", "--params", weights)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in output + errors
    [line] = [line for line in errors.splitlines() if line.startswith("Error:")]
    assert line.startswith("Error: network.weights: found no file /nonexistent.weights.h5, expected one;")
    assert not list((project.folder / "data").rglob("*.png"))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the processes of a test: what runs in the background ignores it, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_is_killed_in_mlflow(tmp_path: Path, empty_database: Path) -> None:
    projects = {number: make_project(tmp_path / number.name) for number in (signal.SIGINT, signal.SIGTERM)}
    processes = {}
    for number, project in projects.items():
        shutil.copy(empty_database, project.folder / "mlflow.db")
        processes[number] = project.start_kedro(*MIAS, "mias.phantom.patients=2000")
    try:
        for number, process in processes.items():
            raw = projects[number].folder / "data" / "test" / "01_raw" / "mias"
            deadline = time.monotonic() + 120
            while not any(raw.rglob("*.pgm")):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            # Ctrl-C reaches the whole group, `kill` the one process.
            (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        for number, process in processes.items():
            process.communicate(timeout=180)
            assert process.returncode != 0
            assert [run.info.status for run in projects[number].list_runs()] == ["KILLED"], number
    finally:
        for process in processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

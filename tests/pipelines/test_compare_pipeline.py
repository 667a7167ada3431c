"""Two finished runs of a project, compared by the command that a person types."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from mammoscan.params import CompareParams
from projects import FinishedRun, Project, make_project

PIPELINES = ("mias", "mias_normal")


@pytest.fixture(scope="module")
def tracked(
    finish_pipeline: Callable[[str], FinishedRun], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project of its own with what MLflow knows of the finished runs, which nothing here may change."""
    project = make_project(tmp_path_factory.mktemp("compared") / "project")
    for name in PIPELINES:
        finished = finish_pipeline(name).project.folder
    shutil.copy(finished / "mlflow.db", project.folder)
    return project


def test_runs_are_compared_by_their_ids(
    finish_pipeline: Callable[[str], FinishedRun], tracked: Project
) -> None:
    ids = [finish_pipeline(name).tracked.info.run_id for name in PIPELINES]
    done = tracked.run_pipeline("compare", "--params", f"compare.runs={ids[0]} {ids[1]}")
    folder = tracked.folder / "data" / "test" / "08_reporting" / "compare"
    page = (folder / "report.html").read_text()
    assert all(run_id in page for run_id in ids)
    assert "PHANTOM" in page
    assert "Not compared: they answer different questions." in page
    assert "question.positive" in page
    assert [run["name"] for run in json.loads((folder / "runs.json").read_text())] == ["A", "B"]
    assert str(folder / "report.html") in done.output + done.errors


def test_a_wrong_run_is_one_line(tracked: Project) -> None:
    process = tracked.start_kedro(
        "run", "--env", "test", "--pipeline", "compare", "--params", "compare.runs=a b"
    )
    output, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "compare.runs: a is no run in sqlite" in output + errors
    assert "Traceback" not in output + errors


@pytest.mark.parametrize("text", ["one two", "one,two", "one+two", "[one, two]", ["one", "two"]])
def test_runs_can_be_named_in_one_text(text: str | list[str]) -> None:
    assert CompareParams.model_validate({"runs": text}).runs == ("one", "two")
    assert CompareParams.model_validate({"runs": ""}).runs == ()

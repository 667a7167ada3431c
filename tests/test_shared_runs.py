"""The runs that the tests share are made once, whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects import FinishedRun, Project, SharedRuns


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pipelines that were run; `pneumonia` fails."""
    begun: list[str] = []

    def run(project: Project, pipeline: str) -> FinishedRun:
        begun.append(pipeline)
        assert pipeline != "pneumonia", "it broke"
        return FinishedRun(project, pipeline, "", "said", 1.5)

    monkeypatch.setattr(Project, "run_pipeline", run)
    return begun


@pytest.fixture
def processes(tmp_path: Path, empty_database: Path) -> list[SharedRuns]:
    return [SharedRuns(tmp_path / "runs", empty_database) for _ in range(2)]


def test_a_pipeline_is_run_by_the_first_that_asks(begun: list[str], processes: list[SharedRuns]) -> None:
    first, second = (runs.finish("mias") for runs in processes)
    assert begun == ["mias"]
    assert (second.project.folder, second.errors, second.seconds) == (first.project.folder, "said", 1.5)
    assert (second.project.folder / "mlflow.db").is_file()


def test_studies_of_one_data_set_share_a_project(begun: list[str], processes: list[SharedRuns]) -> None:
    folders = {
        name: processes[0].finish(name).project.folder
        for name in ("mias", "mias_normal", "mias_author_all", "idc")
    }
    assert begun == list(folders)
    assert len(set(folders.values())) == 2
    assert folders["mias"] == folders["mias_author_all"]


def test_a_pipeline_that_failed_is_not_run_again(begun: list[str], processes: list[SharedRuns]) -> None:
    for runs in processes:
        with pytest.raises(AssertionError, match="it broke"):
            runs.finish("pneumonia")
    assert begun == ["pneumonia"]

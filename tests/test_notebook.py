"""The notebooks run on what a pipeline left behind, and say so where there is nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from projects import ROOT, FinishedRun, Project

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def execute_notebook(path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """Execute a notebook in the folder of a project where it would lie, with the toy run's environment."""
    folder = project.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder)
    for name in set(os.environ) - set(project.environment):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEDRO_ENV", "test")
    notebook = read_notebook(path)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def gather_output(notebook: nbformat.NotebookNode) -> str:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return "\n".join(
        output.get("text", "") or str(output.get("data", {}).get("text/html", "")) for output in outputs
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_outputs_and_explains_its_steps(path: Path) -> None:
    cells = read_notebook(path).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert sum(cell.cell_type == "markdown" for cell in cells) > len(code) / 2


def test_the_notebook_walks_a_finished_run(
    finished_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = gather_output(execute_notebook(ROOT / "notebooks" / "mias.ipynb", finished_project, monkeypatch))
    assert "phantom" in said
    assert "NOTE 3" in said
    assert "None of the" in said
    assert "report.html" in said


@pytest.mark.parametrize(
    ("study", "said"), [("breakhis", "of the answers are right"), ("idc", "Within a slide the AUC")]
)
def test_the_notebooks_of_tissue_walk_their_runs(
    finish_pipeline: Callable[[str], FinishedRun], monkeypatch: pytest.MonkeyPatch, study: str, said: str
) -> None:
    project = finish_pipeline(study).project
    notebook = execute_notebook(ROOT / "notebooks" / f"{study}.ipynb", project, monkeypatch)
    markdown = "\n".join(
        str(output.get("data", {}).get("text/markdown", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    )
    assert said in markdown
    assert "phantom" in gather_output(notebook)
    assert "report.html" in gather_output(notebook)


def test_the_notebook_of_chest_films_walks_its_run(
    finish_pipeline: Callable[[str], FinishedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = finish_pipeline("pneumonia").project
    said = gather_output(execute_notebook(ROOT / "notebooks" / "pneumonia.ipynb", project, monkeypatch))
    assert "phantom" in said
    assert "train + val" in said
    assert "None of the" in said
    assert "report.html" in said


@pytest.mark.slow
def test_the_notebook_says_what_to_run_where_nothing_was(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CellExecutionError, match="run `kedro run --pipeline mias` in the project's folder"):
        execute_notebook(ROOT / "notebooks" / "mias.ipynb", project, monkeypatch)

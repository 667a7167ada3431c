"""The commands of docs/how-to/resume-or-rerun-part.md on a finished run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from projects import FinishedRun, copy_project


@pytest.mark.slow
def test_another_threshold_needs_no_training(
    finish_pipeline: Callable[[str], FinishedRun], tmp_path: Path
) -> None:
    project = copy_project(finish_pipeline("mias").project, tmp_path / "project")
    models = project.folder / "data" / "test" / "06_models" / "mias"
    networks = {file: file.read_bytes() for file in models.rglob("model.keras")}
    assert len(networks) == 6
    done = project.run_pipeline(
        "mias",
        *("--from-inputs", "params:mias.evaluation", "--params", "mias.evaluation.threshold.at=0.95"),
    )
    assert not re.search(r"fold \d of 5", done.errors)
    assert {file: file.read_bytes() for file in networks} == networks
    assert done.read_json("mias.trust")["at"] == 0.95
    assert "finds at least 95 % of malignant" in done.find_file("mias.report").read_text()

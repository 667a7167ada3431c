"""A run that is killed in the middle of a training, and resumed: real processes, as a person starts them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from projects import FinishedRun, Project

EPOCHS = 60
# One training of a fold of its own, and what is measured of it; the files before it are those of a finished run.
PART = (
    *("run", "--env", "test", "--pipeline", "mias_author"),
    *("--from-nodes", "mias_author.fold_0.train_fold", "--to-nodes", "mias_author.measure_predictions"),
)
LONG = f"mias_author.training.epochs={EPOCHS},mias_author.training.patience={EPOCHS}"


def copy_project(finished: Project, folder: Path) -> Project:
    """Take over what a finished run left, but for its scans and its MLflow artifacts."""
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns("*.pgm", "mlartifacts", "*.ckpt*"))
    return Project(folder)


def read_results(project: Project) -> tuple[Any, Any]:
    data = project.folder / "data" / "test"
    history = json.loads((data / "06_models" / "mias_author" / "fold_0" / "history.json").read_text())
    metrics = json.loads((data / "08_reporting" / "mias_author" / "metrics.json").read_text())
    return history, metrics


def end(process: Any) -> str:
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, output + errors
    return errors


def test_a_killed_run_resumes_to_the_numbers_of_one_that_was_not(
    finish_pipeline: Callable[[str], FinishedRun], tmp_path: Path
) -> None:
    finished = finish_pipeline("mias_author").project
    killed, whole = (copy_project(finished, tmp_path / name) for name in ("killed", "whole"))
    checkpoint = (
        killed.folder
        / "data"
        / "test"
        / "06_models"
        / "mias_author"
        / "fold_0"
        / "checkpoints"
        / "training.ckpt"
    )
    victim, other = (project.start_kedro(*PART, "--params", LONG) for project in (killed, whole))
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.is_file():
            assert victim.poll() is None, victim.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(victim.pid, signal.SIGKILL)
        victim.communicate(timeout=60)
        assert victim.returncode == -signal.SIGKILL

        refused = killed.start_kedro(
            *PART, "--params", f"{LONG},train.resume=true,mias_author.training.seed=5"
        )
        output, errors = refused.communicate(timeout=120)
        assert refused.returncode == 1
        assert "Traceback" not in output + errors
        [line] = [line for line in errors.splitlines() if line.startswith("Error:")]
        assert "recipe.seed is 5 now, but was 0 when the training began" in line

        errors = end(killed.start_kedro(*PART, "--params", f"{LONG},train.resume=true"))
        assert "Resuming after epoch" in errors
        end(other)
    finally:
        for process in (victim, other):
            if process.poll() is None:
                process.kill()
    (history, metrics), (wanted_history, wanted_metrics) = map(read_results, (killed, whole))
    assert 1 <= history["resumed_after"] < EPOCHS
    assert wanted_history["resumed_after"] is None
    assert len(history["epochs"]) == len(wanted_history["epochs"]) == EPOCHS
    for epoch, wanted in zip(history["epochs"], wanted_history["epochs"], strict=True):
        assert {**epoch, "seconds": 0} == {**wanted, "seconds": 0}
    assert metrics == wanted_metrics

"""Runs that are killed in the middle of a training or of a search, and resumed: real processes, real kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from projects import FinishedRun, Project, copy_project

EPOCHS = 60
# One training of a fold of its own, and what is measured of it; the files before it are those of a finished run.
PART = (
    *("run", "--env", "test", "--pipeline", "mias_author"),
    *("--from-nodes", "folds.fold_0.train_fold", "--to-nodes", "measuring.measure_predictions"),
)
LONG = f"mias_author.training.epochs={EPOCHS},mias_author.training.patience={EPOCHS}"


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


def count_trials(storage: Path) -> int:
    """The trials that ended, as Optuna's file has them."""
    if not storage.is_file():
        return 0
    try:
        with sqlite3.connect(f"file:{storage}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0]
    except sqlite3.OperationalError:  # its tables are being made
        return 0


def test_a_killed_search_keeps_its_finished_trials(finished_project: Project, tmp_path: Path) -> None:
    project = copy_project(finished_project, tmp_path / "project")
    data = project.folder / "data" / "test"
    # What `mias` made is there: its own nodes need not run again.
    part = (
        *("run", "--env", "test", "--pipeline", "mias_search"),
        *("--from-nodes", "choose_regions,count_trainings"),
        *("--to-nodes", "figures_and_report.describe_search,figures_and_report.draw_trials"),
    )
    storage = data / "06_models" / "mias_search" / "fold_0" / "search" / "trials.db"
    victim = project.start_kedro(*part)
    try:
        deadline = time.monotonic() + 120
        while count_trials(storage) < 1:
            assert victim.poll() is None, victim.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        victim.kill()
        victim.communicate(timeout=60)
    kept = count_trials(storage)
    begun = {run.info.run_id for run in project.list_runs()}
    errors = end(project.start_kedro(*part))
    assert "search: 5 folds x 2 trials x 2 inner folds = 20 trainings" in errors
    assert f"search, fold 1 of 5: {kept} trials are there already" in errors

    trials = pd.read_csv(data / "07_model_output" / "mias_search" / "trials.csv")
    assert trials.groupby("fold").size().to_dict() == dict.fromkeys(range(5), 2)
    assert trials.loc[trials["trial"] == 0, "own_recipe"].all()
    assert trials.groupby("fold")["chosen"].sum().eq(1).all()
    for fold in range(5):
        recipe = json.loads((data / "06_models" / "mias_search" / f"fold_{fold}" / "recipe.json").read_text())
        [chosen] = trials[trials["chosen"] & (trials["fold"] == fold)].to_dict("records")
        assert recipe["training"]["learning_rate"] == chosen["learning_rate"]
        assert recipe["value"] == chosen["value"]

    [run] = [
        run
        for run in project.list_runs()
        if run.data.tags.get("study") == "mias_search" and run.info.run_id not in begun
    ]
    assert run.info.status == "FINISHED"
    children = project.list_children(run.info.run_id)
    nested = [child for part, child in children.items() if "trial" in part]
    assert len(nested) == 10 - kept
    assert all(child.info.status == "FINISHED" for child in nested)
    for row in trials[trials["fold"] == 3].to_dict("records"):
        told = children[f"fold_3/trial_{row['trial']}"].data
        assert told.metrics["inner_auc"] == pytest.approx(row["value"])
        assert float(told.params["learning_rate"]) == row["learning_rate"]

    section = json.loads((data / "08_reporting" / "mias_search" / "search_section.json").read_text())
    found, own, difference = (row[1]["value"] for row in section["tables"][0]["rows"])
    metrics = json.loads((data / "08_reporting" / "mias" / "metrics.json").read_text())
    assert own == pytest.approx(metrics["cnn"]["auc"]["value"])
    assert difference == pytest.approx(found - own)


def test_a_killed_run_of_another_recipe_meets_no_checkpoints_of_the_former_one(
    finish_pipeline: Callable[[str], FinishedRun], tmp_path: Path
) -> None:
    finished = finish_pipeline("mias").project
    project = copy_project(finished, tmp_path / "project")
    networks = Path("data") / "test" / "06_models" / "mias"
    for checkpoint in (finished.folder / networks).rglob("*.ckpt"):
        shutil.copy(checkpoint, project.folder / checkpoint.relative_to(finished.folder))
    assert (project.folder / networks / "fold_4" / "checkpoints" / "training.ckpt").is_file()
    part = (
        *("run", "--env", "test", "--pipeline", "mias"),
        *("--from-nodes", "divide_samples", "--to-nodes", "pool_predictions"),
    )
    other = "mias.training.seed=5"

    first = project.folder / networks / "fold_0" / "model.keras"
    before = first.stat().st_mtime
    victim = project.start_kedro(*part, "--params", other)
    try:
        deadline = time.monotonic() + 120
        while first.stat().st_mtime == before:
            assert victim.poll() is None, victim.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        victim.kill()
        victim.communicate(timeout=60)

    errors = end(project.start_kedro(*part, "--params", f"{other},train.resume=true"))
    assert "It had ended after epoch 3 of 3" in errors
    assert "There is no checkpoint to resume from" in errors

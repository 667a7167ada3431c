"""Runs whose MLflow database is locked, broken or out of reach: real processes."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from mammoscan.hooks.tracking_loss import ask_store, describe_loss, hide_password
from projects import FinishedRun, Project, copy_project

NOTES = ("run", "--env", "test", "--pipeline", "mias", "--to-outputs", "mias.notes")


def run_to_the_end(project: Project, *words: str) -> list[str]:
    process = project.start_kedro(*words)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert "Traceback" not in output + errors
    return errors.splitlines()


class TestAsking:
    def test_a_database_that_another_process_holds_is_found_locked(self, database: str) -> None:
        holder = sqlite3.connect(database.removeprefix("sqlite:///"))
        holder.execute("BEGIN EXCLUSIVE")
        try:
            error = ask_store(database)
        finally:
            holder.close()
        assert error is not None
        assert "locked" in describe_loss(error)
        assert ask_store(database) is None

    def test_a_broken_database_is_found_broken(self, database: str) -> None:
        Path(database.removeprefix("sqlite:///")).write_bytes(b"no database" * 1000)
        error = ask_store(database)
        assert error is not None
        assert "not a database" in describe_loss(error)

    def test_a_database_that_is_not_there_yet_is_mlflows_to_make(self, tmp_path: Path) -> None:
        assert ask_store(f"sqlite:///{tmp_path / 'new.db'}") is None

    def test_a_password_is_not_shown(self) -> None:
        assert hide_password("https://me:secret@host/x") == "https://me:…@host/x"


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["broken", "out of reach"])
def test_a_run_goes_on_where_tracking_cannot_begin(
    project: Project, empty_database: Path, fault: str
) -> None:
    if fault == "broken":
        (project.folder / "mlflow.db").write_bytes(b"no database" * 1000)
    else:
        uri = "server: {mlflow_tracking_uri: 'http://127.0.0.1:9'}\n"
        (project.folder / "conf" / "test" / "mlflow.yml").write_text(uri)
    lines = run_to_the_end(project, *NOTES)
    assert any(line.startswith("MLflow's store") and "cannot be used" in line for line in lines)
    assert lines[-1].startswith("tracking was lost")
    assert lines[-1].endswith("send this run to MLflow later: mammoscan track mias")
    assert (project.folder / "data" / "test" / "02_intermediate" / "mias" / "notes.parquet").is_file()


@pytest.mark.slow
def test_what_was_not_tracked_is_sent_later_from_disk_and_a_changed_file_is_refused(
    finish_pipeline, tmp_path: Path, empty_database: Path
) -> None:
    finished: FinishedRun = finish_pipeline("mias")
    project = copy_project(finished.project, tmp_path / "project")
    shutil.copy(empty_database, project.folder / "mlflow.db")
    process = project.start_command("track", "mias", "--env", "test")
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, output + errors
    [run] = project.list_runs()
    assert run.info.status == "FINISHED"
    known = finished.tracked.data
    assert run.data.tags["data_fingerprint"] == known.tags["data_fingerprint"]
    own = {
        name: value for name, value in known.metrics.items() if not name.startswith(("seconds", "system/"))
    }
    assert {name: run.data.metrics.get(name) for name in own} == own
    sent, children = (
        one.list_children(each.info.run_id)
        for one, each in ((project, run), (finished.project, finished.tracked))
    )
    assert set(sent) == set(children) >= {"fold_0", "final"}
    assert {part: child.data.metrics["loss"] for part, child in sent.items()} == {
        part: child.data.metrics["loss"] for part, child in children.items()
    }
    report = project.folder / "data" / "test" / "08_reporting" / "mias" / "report.html"
    report.write_text("another page")
    process = project.start_command("track", "mias", "--env", "test")
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 1
    [line] = [line for line in errors.splitlines() if line.startswith("Error:")]
    assert "mias.report: report.html was changed since it was written" in line

"""Two runs at once in one data folder: real processes, one of which is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mammoscan.errors import MammoscanError
from mammoscan.hooks.run_lock import RunningRun, take_lock
from projects import Project

HOLD = """
import sys, time
from pathlib import Path
from mammoscan.hooks.run_lock import RunningRun, take_lock
run = RunningRun(process=__import__("os").getpid(), command="kedro run --pipeline mias", since=time.time(),
                 makes={"mias.metrics": None, "mias.notes": "a"}, mlflow_run="abc")
held = take_lock(Path(sys.argv[1]), run, 0)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def describe(**makes: str | None) -> RunningRun:
    entries = {f"mias.{name}": digest for name, digest in makes.items()}
    return RunningRun(process=os.getpid(), command="kedro run", since=time.time(), makes=entries)


@pytest.fixture
def start(tmp_path: Path):
    """Start a process that holds the lock of a run for some seconds."""
    processes: list[subprocess.Popen[str]] = []

    def begin(seconds: float = 60) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


class TestLock:
    def test_a_run_that_makes_the_same_file_is_refused_with_who_holds_it(self, start, tmp_path: Path) -> None:
        process = start()
        with pytest.raises(MammoscanError) as caught:
            take_lock(tmp_path, describe(metrics=None), 0)
        line = caught.value.message
        assert f"'kedro run --pipeline mias' (process {process.pid}, since 20" in line
        assert "makes mias.metrics too" in line
        assert "\n" not in line

    def test_another_study_runs_beside_it(self, start, tmp_path: Path) -> None:
        start()
        held, killed = take_lock(tmp_path, describe(other=None), 0)
        assert held.file.is_file()
        assert killed == []
        held.lock.release()

    def test_a_study_of_the_same_data_runs_beside_it_if_it_reads_them_alike(
        self, start, tmp_path: Path
    ) -> None:
        start()
        take_lock(tmp_path, describe(notes="a", other=None), 0)[0].lock.release()
        with pytest.raises(MammoscanError, match=r"makes mias\.notes too"):
            take_lock(tmp_path, describe(notes="b", other=None), 0)

    def test_a_run_waits_where_it_was_told_to(self, start, tmp_path: Path) -> None:
        start(seconds=1.5)
        began = time.monotonic()
        take_lock(tmp_path, describe(metrics=None), 30)[0].lock.release()
        assert time.monotonic() - began < 20

    def test_the_lock_of_a_killed_process_is_free_and_its_leftovers_go(self, start, tmp_path: Path) -> None:
        process = start()
        half = tmp_path / "08_reporting" / "mias" / f".report.{process.pid}.part.html"
        folder = tmp_path / "01_raw" / "mias" / f".phantom.{process.pid}.0a1b2c3d.partial"
        other = tmp_path / "08_reporting" / "mias" / ".report.1.part.html"
        folder.mkdir(parents=True)
        half.parent.mkdir(parents=True)
        half.write_text("half")
        other.write_text("of a run that goes on")
        process.send_signal(signal.SIGKILL)
        process.wait()
        held, killed = take_lock(tmp_path, describe(metrics=None), 0)
        assert killed == ["abc"]
        assert list(tmp_path.rglob("*part*")) == [other]
        assert [path.name for path in (tmp_path / ".runs").glob("*.json")] == [held.file.name]
        held.lock.release()


@pytest.mark.slow
def test_a_second_run_with_other_parameters_is_refused_and_a_killed_one_is_ended_in_mlflow(
    project: Project, empty_database: Path
) -> None:
    shutil.copy(empty_database, project.folder / "mlflow.db")
    first = project.start_kedro("run", "--env", "test", "--pipeline", "mias")
    try:
        wait_for(lambda: any("RUNNING" in run.info.status for run in project.list_runs()), first)
        second = project.start_kedro(
            "run", "--env", "test", "--pipeline", "mias", "--params", "mias.phantom.seed=7"
        )
        output, errors = second.communicate(timeout=180)
        assert second.returncode == 1
        assert "Traceback" not in output + errors
        [line] = [line for line in errors.splitlines() if line.startswith("Error:")]
        assert f"is in use: 'kedro run --env test --pipeline mias' (process {first.pid}, since " in line
        assert len(project.list_runs()) == 1
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        [killed] = project.list_runs()
        assert killed.info.status == "RUNNING"
        third = project.start_kedro(
            "run", "--env", "test", "--pipeline", "mias", "--to-outputs", "mias.notes"
        )
        output, errors = third.communicate(timeout=180)
        assert third.returncode == 0, output + errors
        assert sorted(run.info.status for run in project.list_runs()) == ["FINISHED", "KILLED"]
        ended = [child.info.status for child in project.list_children(killed.info.run_id).values()]
        assert set(ended) <= {"FINISHED", "KILLED"}
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)

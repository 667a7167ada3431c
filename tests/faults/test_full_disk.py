"""A disk that is full ends a run in one line; with room again, the run gives the files of an undisturbed one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kill_loop import list_different

from projects import make_project


def mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("a small disk can be mounted by root on Linux only")
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_full_disk_is_one_line_and_the_run_can_be_repeated(
    finish_pipeline, tmp_path: Path, share: float
) -> None:
    finished = finish_pipeline("mias")
    needed = sum(finished.find_file(name).stat().st_size for name in finished.list_outputs())
    project = make_project(tmp_path / "project")
    with small_disk(project.folder / "data", round(share * needed)):
        process = project.start_kedro("run", "--env", "test", "--pipeline", "mias")
        told = "".join(process.communicate())
        assert process.returncode
        assert "Traceback" not in told
        assert "the disk is full" in told
        assert not list((project.folder / "data").rglob("*.part*"))
        mount("-o", f"remount,size={20 * needed}", str(project.folder / "data"))
        project.run_pipeline("mias")
        assert list_different(finished, project) == []
    assert [run.info.status for run in project.list_runs()] == ["FINISHED", "FAILED"]

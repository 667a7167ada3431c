"""Files that exist whole or not at all, on disks that fail."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import DatasetError

from mammoscan.atomic_write import write_whole
from mammoscan.datasets import TextDataset
from mammoscan.errors import MammoscanError


def test_a_full_disk_is_one_line_and_the_former_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("before")
    with (  # noqa: PT012
        pytest.raises(MammoscanError, match=r"report\.html: cannot be written: the disk is full") as caught,
        write_whole(file) as part,
    ):
        part.write_text("half of")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert file.read_text() == "before"


def test_what_is_written_is_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("sync"), sync(number)))
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append("rename"), replace(path, to))[1])
    with write_whole(tmp_path / "a.json") as part:
        part.write_text("{}")
    assert order == ["sync", "rename", "sync"]


def test_other_errors_are_not_taken_for_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_whole(tmp_path / "a.json"):
        raise FileNotFoundError(errno.ENOENT, "other.json")


def test_a_dataset_says_a_full_disk_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DatasetError, match="the disk is full") as caught:
        TextDataset(filepath=str(tmp_path / "report.html")).save("page")
    assert isinstance(caught.value, MammoscanError)
    assert not any(path.suffix == ".html" for path in tmp_path.iterdir())


LIMITED = """
import resource, signal, sys
import numpy as np
from mammoscan.datasets import ArrayDataset, ArrayStream
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
blocks = (np.ones((1024, 64, 64, 1), np.uint8) for _ in range(4))
try:
    ArrayDataset(filepath=sys.argv[1]).save(ArrayStream((4096, 64, 64, 1), "uint8", blocks))
except Exception as error:
    print(error)
"""


def test_a_mapped_array_that_does_not_fit_is_an_error_and_not_a_killed_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "pixels.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pixels.npy: cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []

"""A run that is killed and repeated leaves the files of one that was not; `kill_loop.py` tries many moments."""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_loop import kill_and_repeat


@pytest.mark.parametrize("share", [0.35, 0.75], ids=["while a fold trains", "while results are written"])
def test_a_killed_and_repeated_run_leaves_equal_files(finish_pipeline, tmp_path: Path, share: float) -> None:
    finished = finish_pipeline("mias")
    assert kill_and_repeat(finished, tmp_path / "killed", share * finished.seconds) == []

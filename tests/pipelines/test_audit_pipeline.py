"""The audit of somebody else's division, by the command that a person types."""

from __future__ import annotations

import hashlib
import html
from pathlib import Path

import pandas as pd
import pytest

from planted_division import PLANTED, write_division
from projects import Project


def hash_folder(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_the_command_finds_what_is_planted_and_changes_no_file(project: Project, tmp_path: Path) -> None:
    table = write_division(tmp_path / "division")
    before = hash_folder(table.parent)
    process = project.start_command("audit", "--table", str(table), "--env", "test")
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, output + errors
    assert hash_folder(table.parent) == before
    assert "2 (11 %) are there as they are, turned or mirrored" in errors
    assert "corrected division: 4 of 64 images change their side" in errors
    folder = project.folder / "data" / "test" / "08_reporting" / "audit"
    pairs = pd.read_csv(folder / "pairs.csv")
    assert {
        Path(name).stem: kind for name, kind in zip(pairs["sample_id"], pairs["kind"], strict=True)
    } == PLANTED
    given, corrected = pd.read_csv(table), pd.read_csv(folder / "corrected_division.csv")
    changed = corrected[corrected["side"] != given["side"]]
    assert {Path(path).stem for path in changed["path"]} == set(PLANTED)
    assert set(changed["side"]) == {"train"}
    assert corrected["side_before"].tolist() == given["side"].tolist()
    page = html.unescape((folder / "report.html").read_text())
    assert "the sides share images or patients" in page
    assert "In the corrected division the audit finds nothing." in page
    assert page.count("<img") == 2 * len(PLANTED)
    assert f"mammoscan audit --table {table}" in page
    [run] = project.list_runs()
    assert run.data.tags["study"] == "audit"
    assert run.data.params["audit.repair"] == "move"

"""The second half of docs/getting-started.md, run as it stands there on films as it describes them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects import ROOT, Project, make_project

PAGE = (ROOT / "docs" / "getting-started.md").read_text()
HALF = PAGE[PAGE.index("## Your own images in five minutes") :]
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", HALF, flags=re.DOTALL)
COMMANDS = [text.strip() for kind, text in BLOCKS if kind == "bash"]
TREE, PRINTED = (text for kind, text in BLOCKS if kind == "")
[YAML] = [text for kind, text in BLOCKS if kind == "yaml"]


def write_films(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for person in range(1, 25):
        for number in (1, 2):
            label = "opacity" if person % 2 == 0 else "normal"
            file = folder / label / f"person{person:02}_{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (32, 32), dtype=np.uint8)).save(file)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("started") / "project")
    write_films(project.folder / "films")
    return project


@pytest.fixture(scope="module")
def printed(project: Project) -> str:
    words = shlex.split(COMMANDS[0])
    assert words[0] == "mammoscan"
    process = subprocess.run(
        [sys.executable, "-m", "mammoscan.commands", *words[1:]],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def fill(text: str, project: Project) -> str:
    """Put the folder in the place of the page's dots."""
    return text.replace("…/", f"{project.folder}/")


def test_the_films_lie_as_the_page_shows_them(project: Project) -> None:
    for line in TREE.split():
        assert (project.folder / line).is_file()


def test_the_command_prints_what_the_page_shows(project: Project, printed: str) -> None:
    expected = fill(PRINTED, project).strip().splitlines()
    for line, found in zip(expected, printed.strip().splitlines(), strict=True):
        assert found == line or ("…" in line and found.startswith(line.split("…")[0]))


def test_the_study_is_the_block_that_the_page_shows(project: Project, printed: str) -> None:
    assert (project.folder / "conf/base/parameters_lungs.yml").read_text() == fill(YAML, project)


@pytest.mark.slow
def test_the_study_runs_to_its_report(project: Project, printed: str) -> None:
    words = shlex.split(COMMANDS[1])
    assert words == ["kedro", "run", "--pipeline", "lungs"]
    toy = "lungs.training.epochs=1,lungs.evaluation.resamples=50,lungs.pack.size=16"
    process = project.start_kedro(*words[1:], "--env", "test", "--params", toy)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, output + errors
    report = project.folder / "data/test/08_reporting/lungs/report.html"
    assert "patients kept apart, 10 folds" in " ".join(report.read_text().split())

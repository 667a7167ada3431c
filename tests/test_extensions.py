"""A study that a person adds: the one that the documentation shows, copied from its page and run."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscan import plugins
from mammoscan.errors import MammoscanError
from mammoscan.plugins import load_extensions
from projects import ROOT, make_project

PAGE = ROOT / "docs" / "how-to" / "add-a-study.md"
# A file's name in backticks, then a block with what to write there.
BLOCK = re.compile(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)


def write_shapes(folder: Path) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    for patient in range(12):
        label = ("circle", "square")[patient % 2]
        for number in range(3):
            row, column = rng.integers(14, 26, 2)
            away = np.abs(y - row), np.abs(x - column)
            inside = np.hypot(*away) < 9 if label == "circle" else np.maximum(*away) < 8
            image = np.clip(60 + 120 * inside + rng.normal(0, 20, (40, 40)), 0, 255).astype(np.uint8)
            path = folder / label / f"p{patient:02d}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


@pytest.mark.slow
def test_the_study_on_the_documentations_page_runs_as_it_stands_there(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    files = dict(BLOCK.findall(PAGE.read_text()))
    assert set(files) == {"src/shapes.py", "pyproject.toml", "conf/base/parameters_shapes.yml"}
    assert sum(text.count("\n") for text in files.values()) < 60
    for name, text in files.items():
        with (project.folder / name).open("a") as stream:
            stream.write(text)
    write_shapes(project.folder / "data" / "shapes")
    (project.folder / "data" / "shapes" / "circle" / "notes.txt").touch()
    process = project.start_kedro("run", "--pipeline", "shapes")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, output + errors
    assert f"real data: 36 images of 12 patients in {project.folder / 'data' / 'shapes'}" in errors
    assert re.search(r"AUC for circle: \d\.\d\d \[\d\.\d\d, \d\.\d\d\] on 36 images of 12 patients", errors)
    results = project.folder / "data" / "08_reporting" / "shapes"
    assert "Circles or squares" in (results / "report.html").read_text()
    assert (
        "notes.txt" in (project.folder / "data" / "02_intermediate" / "shapes" / "rejected.csv").read_text()
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(plugins, "find_project_root", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "src").mkdir()
    return tmp_path


def test_a_named_module_is_imported_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "pyproject.toml").write_text('[tool.mammoscan]\nstudies = ["own_study_of_a_test"]\n')
    (root / "src" / "own_study_of_a_test.py").write_text("LOADED = []\n")
    load_extensions()
    module = sys.modules["own_study_of_a_test"]
    module.LOADED.append(1)
    load_extensions()
    assert sys.modules.pop("own_study_of_a_test").LOADED == [1]


@pytest.mark.parametrize(
    "text", [None, "[tool.other]\n", "broken = = toml", "[tool.mammoscan]\nstudies = []\n"]
)
def test_without_a_list_nothing_is_imported(root: Path, text: str | None) -> None:
    if text is not None:
        (root / "pyproject.toml").write_text(text)
    before = set(sys.modules)
    load_extensions()
    assert not {name for name in set(sys.modules) - before if not name.startswith("tomllib")}


def test_a_module_that_is_not_there_and_a_list_that_is_none_are_refused(root: Path) -> None:
    (root / "pyproject.toml").write_text('[tool.mammoscan]\nstudies = ["nowhere_at_all"]\n')
    with pytest.raises(
        MammoscanError, match=r"names nowhere_at_all, expected the module .*nowhere_at_all\.py"
    ):
        load_extensions()
    (root / "pyproject.toml").write_text('[tool.mammoscan]\nstudies = "shapes"\n')
    with pytest.raises(MammoscanError, match="studies is 'shapes', expected a list of module names"):
        load_extensions()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "from mammoscan.studies import Study\nStudy('x', 'x', 'image', 3)\n",
            r"^Study 'x': protocol is 'image', expected one of: patient, author$",
        ),
        (
            "from mammoscan.studies import Study\nStudy('x', 'x', 'patient', '3')\n",
            r"^Study 'x': folds is '3', expected a whole number from 1 on$",
        ),
        (
            "import not_there_at_all\n",
            r"wrong_study.py cannot be imported, ModuleNotFoundError in .*; install it$",
        ),
        (
            "x = 1\nx.y\n",
            r"wrong_study.py cannot be imported, AttributeError in wrong_study.py, line 2: .*; mend it",
        ),
        ("x = = 1\n", r"wrong_study.py cannot be imported, SyntaxError in .*; mend it there$"),
    ],
)
def test_a_mistake_in_ones_own_module_is_one_line(root: Path, text: str, message: str) -> None:
    (root / "pyproject.toml").write_text('[tool.mammoscan]\nstudies = ["wrong_study"]\n')
    (root / "src" / "wrong_study.py").write_text(text)
    with pytest.raises(MammoscanError, match=message) as caught:
        load_extensions()
    assert "\n" not in caught.value.message

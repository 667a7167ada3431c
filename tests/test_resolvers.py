from pathlib import Path

import pytest

from mammoscan.errors import MammoscanError
from mammoscan.resolvers import find_project_root, pick

ROOT = Path(__file__).resolve().parents[1]


def test_the_project_is_found_from_a_folder_within_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert find_project_root() == tmp_path.as_posix()


def test_outside_any_project_it_is_the_one_of_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_project_root() == ROOT.as_posix()


def test_a_choice_is_picked_by_its_name() -> None:
    assert pick("recipe", "b", {"a": 1, "b": 2}) == 2


def test_an_unknown_choice_names_what_was_found_and_the_known() -> None:
    with pytest.raises(MammoscanError, match=r"recipe is 'c', expected one of: a, b"):
        pick("recipe", "c", {"a": 1, "b": 2})

"""Words that the configuration files may use in ``${…}``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project

from mammoscan.errors import MammoscanError


def find_project_root() -> str:
    """Return the Kedro project around the current folder, or else the one that this package lies in.

    A relative path would follow the current folder, so that a notebook made a database of its own.
    """
    root = find_kedro_project(Path.cwd()) or Path(__file__).resolve().parents[2]
    return root.as_posix()


def pick(kind: str, name: str, choices: Mapping[str, Any]) -> Any:
    """Return the choice of that name, e.g. a recipe of a study; an unknown name is an error that lists the known."""
    if name not in choices:
        raise MammoscanError(f"{kind} is {name!r}, expected one of: {', '.join(map(str, choices))}")
    return choices[name]

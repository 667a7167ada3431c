"""Studies and data sets that a project adds to the package."""

from __future__ import annotations

import sys
import tomllib
from importlib import import_module
from pathlib import Path

from mammoscan.errors import MammoscanError
from mammoscan.own_studies import register_own_studies
from mammoscan.resolvers import find_project_root


def load_extensions() -> None:
    """Import the modules that ``pyproject.toml`` lists as ``[tool.mammoscan] studies``; they register what they add.

    Studies of one's own images need no module: they are found in ``conf/base``.
    """
    root = Path(find_project_root())
    register_own_studies(root / "conf")
    for name in _read_names(root / "pyproject.toml"):
        if str(root / "src") not in sys.path:
            sys.path.insert(0, str(root / "src"))
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise MammoscanError(
                f"{root / 'pyproject.toml'}: tool.mammoscan.studies names {name}, "
                f"expected the module {root / 'src' / name}.py"
            ) from error


def _read_names(file: Path) -> list[str]:
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError):
        return []
    names = tool.get("mammoscan", {}).get("studies", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MammoscanError(f"{file}: tool.mammoscan.studies is {names!r}, expected a list of module names")
    return names

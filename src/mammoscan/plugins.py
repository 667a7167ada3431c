"""Studies and data sets that a project adds to the package."""

from __future__ import annotations

import sys
import tomllib
import traceback
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
                raise MammoscanError(
                    f"{root / 'src' / name}.py cannot be imported, {describe_failure(error)}; install it"
                ) from error
            raise MammoscanError(
                f"{root / 'pyproject.toml'}: tool.mammoscan.studies names {name}, "
                f"expected the module {root / 'src' / name}.py"
            ) from error
        except MammoscanError:
            raise
        except Exception as error:
            raise MammoscanError(
                f"{root / 'src' / name}.py cannot be imported, {describe_failure(error)}; mend it there"
            ) from error


def describe_failure(error: Exception) -> str:
    """Say in a few words what failed in a person's own module, and in which line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    reason = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}{where}: {reason}"


def _read_names(file: Path) -> list[str]:
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError):
        return []
    names = tool.get("mammoscan", {}).get("studies", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MammoscanError(f"{file}: tool.mammoscan.studies is {names!r}, expected a list of module names")
    return names

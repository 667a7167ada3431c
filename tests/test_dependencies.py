"""What the package imports is what `pip install` gets: a module that only a tester's machine has is found here."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from projects import ROOT

# Extras for those who use the package, against those for those who work on it.
USERS_EXTRAS = ("dask", "excel", "gpu", "jax", "nifti", "onnx", "search")


def simplify(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!;~ ]", name)[0]).lower()


def list_imports() -> dict[str, str]:
    """Top-level names of other people's packages that src/ imports, each with a file that does."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                found[name.split(".")[0]] = str(file.relative_to(ROOT))
    return {name: file for name, file in found.items() if name not in {*sys.stdlib_module_names, "mammoscan"}}


@pytest.mark.parametrize("name", sorted(list_imports()))
def test_every_imported_package_is_declared(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {simplify(line) for line in project["dependencies"]}
    for extra in USERS_EXTRAS:
        declared |= {simplify(line) for line in project["optional-dependencies"][extra]}
    providers = {simplify(found) for found in packages_distributions()[name]}
    assert providers & declared, (
        f"{list_imports()[name]} imports {name}; pyproject.toml declares none of {providers}"
    )

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from mammoscan.errors import MammoscanError


def list_keys(block: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of all keys of a nested dictionary, inner ones included."""
    names: list[str] = []
    for key, value in block.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            names += list_keys(value, f"{prefix}{key}.")
    return names


def check_asked(asked: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse a parameter on the command line that no file of ``conf/`` knows.

    Kedro would add it silently, and the run would do something other than what was asked.
    """
    names = list_keys(known)
    for name in list_keys(asked):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = (
                f"; did you mean {near[0]}?"
                if near
                else "; the known ones stand in conf/base/parameters*.yml"
            )
            raise MammoscanError(f"--params {name}: there is no such parameter{hint}")


class ParameterHooks:
    """Refuses mistyped parameters before anything runs."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the parameters of the command line with those of the files."""
        loader = context.config_loader
        asked = getattr(loader, "runtime_params", None)
        if not asked:
            return
        loader.runtime_params = {}
        try:
            known = loader["parameters"]
        finally:
            loader.runtime_params = asked
        check_asked(asked, known)

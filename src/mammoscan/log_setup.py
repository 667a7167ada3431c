"""Keeps what libraries say among themselves off the console, so that the run's own words can be read."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

# Warnings about which a user of the project can do nothing.
HIDDEN_WARNINGS = (
    "register_new_resolver() is deprecated",  # Kedro's use of OmegaConf
    "Add type hints to the `predict` method",  # kedro-mlflow's own model class
    "One or more dataset names contain '.'",  # a study's node reads entries of its folds, which are namespaces
    "Option '--pipeline' is deprecated",  # it works, and is what users of Kedro type
)


def silence_libraries() -> None:
    """Hide ``HIDDEN_WARNINGS``, and what TensorFlow's native code prints while it is imported.

    Kedro calls this before it loads its plugins (entry point ``kedro.init``), whose imports warn already. Filters
    would not do for the warnings: libraries that are imported later put their own filters first.
    """
    show = warnings.showwarning
    if getattr(show, "is_mammoscan", False):
        return

    def show_others(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        if not any(hidden in str(message) for hidden in HIDDEN_WARNINGS):
            show(message, *args, **kwargs)

    show_others.is_mammoscan = True  # type: ignore[attr-defined]
    warnings.showwarning = show_others
    sys.meta_path.insert(0, QuietFinder())


class QuietFinder(importlib.abc.MetaPathFinder):
    """Lets TensorFlow be imported as ever, but with the process's standard error held back."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the usual spec of ``tensorflow`` with a quiet loader; of nothing else."""
        if fullname != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_quietly(module: ModuleType) -> None:
                with hold_back_errors():
                    run(module)

            spec.loader.exec_module = run_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def hold_back_errors() -> Iterator[None]:
    """Keep what native code writes to standard error off it, and show it after all if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)

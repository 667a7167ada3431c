from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from kedro.io.core import AbstractDataset, DatasetError

from mammoscan.records.run_info import RunInfo
from mammoscan.tracking.live import COMMAND_VARIABLE, PIPELINE_VARIABLE, RUN_ID_VARIABLE, STARTED_VARIABLE

PACKAGES = (
    "mammoscan",
    "kedro",
    "tensorflow",
    "keras",
    "numpy",
    "pandas",
    "scikit-learn",
    "pillow",
    "mlflow",
)


class RunInfoDataset(AbstractDataset[RunInfo, RunInfo]):
    """What a report must say of the run itself: command, commit, versions, machine, MLflow run."""

    def __init__(self, *, project: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the project's folder.

        Args:
            project: Where the project's git repository is.
            metadata: Passed through for plugins such as Kedro-Viz.
        """
        self._project = project
        self.metadata = metadata

    def load(self) -> RunInfo:
        """Collect it."""
        return RunInfo(
            pipeline=os.environ.get(PIPELINE_VARIABLE, "mias"),
            started=float(os.environ.get(STARTED_VARIABLE, 0)),
            # A worker of a cluster was not started by the command; the run's own process told it.
            command=os.environ.get(COMMAND_VARIABLE) or read_command(),
            commit=read_commit(Path(self._project)),
            run_id=os.environ.get(RUN_ID_VARIABLE),
            versions={name: importlib.metadata.version(name) for name in PACKAGES},
            python=platform.python_version(),
            machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        )

    def save(self, data: RunInfo) -> None:
        """Refuse: it is read, never written."""
        raise DatasetError("the run's own facts are read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"project": self._project}


def read_command() -> str | None:
    """Return the command that started this process, as it would be typed; none in a notebook or test."""
    # Kedro itself calls itself so where it was started as a module.
    if sys.argv[0] == "python -m kedro" or Path(sys.argv[0]).stem == "kedro":
        return shlex.join(["kedro", *sys.argv[1:]])
    # ``commands`` is what the command is called where it was started as a module.
    is_own = Path(sys.argv[0]).stem == "mammoscan" or Path(sys.argv[0]).parts[-2:] == (
        "mammoscan",
        "commands.py",
    )
    return shlex.join(["mammoscan", *sys.argv[1:]]) if is_own else None


def read_commit(folder: Path) -> str | None:
    """Return the project's git commit, with ``-dirty`` where files differ from it; none outside git."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = ask("rev-parse", "HEAD")
    return f"{commit}-dirty" if commit and ask("status", "--porcelain", "--untracked-files=no") else commit

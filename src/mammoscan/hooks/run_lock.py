"""Several runs in one data folder: they go on side by side as long as none writes what another one makes or reads.

Every run holds ``<data>/.runs/<its name>.lock`` until its process ends, however it ends, and writes beside it what it
is and what it makes. A lock that can be taken belongs to a run that died: its leftovers are removed, and its run in
MLflow is ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pydantic import ValidationError

from mammoscan.atomic_write import write_whole
from mammoscan.datasets.run_info import read_command
from mammoscan.errors import MammoscanError
from mammoscan.hooks.provenance_notes import digest_parameters, find_file, find_registered
from mammoscan.records.base import Record
from mammoscan.seals import RUN_VARIABLE

WAIT_VARIABLE = "MAMMOSCAN_WAIT_MINUTES"
"""How long a run waits for another one that is in its way; without it, it does not."""
POLL_S = 1.0
# What is made before anything trains is the same bytes for the same parameters: two runs may both make it.
SHARED_LAYERS = ("01_raw", "02_intermediate", "05_model_input")

logger = logging.getLogger("mammoscan")


class RunningRun(Record):
    """What a run says of itself to others.

    Attributes:
        process: Its process.
        command: How it was started.
        since: When, in seconds since 1970.
        makes: Entry to a digest of the parameters that it is made with; None where no two runs may make it at once.
        mlflow_run: Its run in MLflow, once that is known.
    """

    process: int
    command: str
    since: float
    makes: dict[str, str | None]
    mlflow_run: str | None = None

    def find_conflict(self, other: RunningRun) -> str | None:
        """Return an entry that both would make and that they would make differently, or that is one run's own."""
        shared = sorted(set(self.makes) & set(other.makes))
        return next(
            (name for name in shared if self.makes[name] is None or self.makes[name] != other.makes[name]),
            None,
        )


@dataclass
class _Held:
    lock: filelock.FileLock
    file: Path
    run: RunningRun


class RunLockHooks:
    """Keeps two runs from writing the same files, and clears up after runs that were killed."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._held: _Held | None = None
        self.killed: list[str] = []
        """MLflow's runs of processes that died, found when this run began."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Find the data folder; a run that ended in this process without an end gives its lock back."""
        self.release()
        self._folder = Path(context.config_loader["globals"]["data"])

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Take the run's lock, or say who is in the way."""
        if self._folder is None:
            return
        run = RunningRun(
            process=os.getpid(),
            command=read_command() or f"process {os.getpid()}",
            since=time.time(),
            makes=describe_outputs(run_params, pipeline, catalog),
        )
        self._held, self.killed = take_lock(self._folder, run, float(os.environ.get(WAIT_VARIABLE) or 0) * 60)
        os.environ[RUN_VARIABLE] = self._held.file.stem

    def note_mlflow_run(self, run_id: str) -> None:
        """Write down the run's name in MLflow, so that the next run can end it if this process is killed."""
        if self._held is not None:
            self._held.run = self._held.run.model_copy(update={"mlflow_run": run_id})
            _write(self._held.file, self._held.run)

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Give the lock back."""
        self.release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Give the lock back."""
        self.release()

    def release(self) -> None:
        """Give the lock back, if this process holds one."""
        if self._held is not None:
            self._held.file.unlink(missing_ok=True)
            self._held.lock.release()
            with contextlib.suppress(OSError):
                Path(self._held.lock.lock_file).unlink(missing_ok=True)
        self._held = None
        os.environ.pop(RUN_VARIABLE, None)


RUN_LOCK = RunLockHooks()
"""The hook of this process."""


def describe_outputs(
    run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
) -> dict[str, str | None]:
    """Return what a run makes, with a digest of the parameters where another run may make the same."""
    digests = digest_parameters(find_registered(run_params), catalog)
    made: dict[str, str | None] = {}
    for name in sorted(pipeline.all_outputs()):
        if find_file(catalog, name) is None:
            continue
        layer = (getattr(catalog.get(name), "metadata", None) or {}).get("kedro-viz", {}).get("layer")
        made[name] = digests.get(name) if layer in SHARED_LAYERS else None
    return made


def take_lock(data: Path, run: RunningRun, wait_s: float) -> tuple[_Held, list[str]]:
    """Register a run in a data folder.

    Args:
        data: The data folder.
        run: The run that is about to begin.
        wait_s: How long to wait for others that are in its way.

    Returns:
        What the run holds, and MLflow's runs of those that had died.
    """
    folder = data / ".runs"
    with_registry = filelock.FileLock(folder / "registry.lock")
    name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    killed: list[str] = []
    said = False
    deadline = time.monotonic() + wait_s
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            with with_registry:
                in_the_way = None
                for other in _list_others(folder, data, killed):
                    entry = run.find_conflict(other)
                    if entry is not None and in_the_way is None:
                        in_the_way = (other, entry)
                if in_the_way is None:
                    lock = filelock.FileLock(folder / f"{name}.lock")
                    lock.acquire(timeout=0)
                    held = _Held(lock, folder / f"{name}.json", run)
                    _write(held.file, run)
                    return held, killed
            if time.monotonic() >= deadline:
                raise MammoscanError(_describe_conflict(data, *in_the_way))
            if not said:
                logger.info("waiting: %s", _describe_conflict(data, *in_the_way))
                said = True
            time.sleep(POLL_S)
    except OSError as error:
        raise MammoscanError(
            f"{data}: no run can be registered there: {error.strerror or error}; choose a data folder that can be "
            "written"
        ) from error


def _describe_conflict(data: Path, other: RunningRun, entry: str) -> str:
    since = datetime.fromtimestamp(other.since).astimezone()
    return (
        f"{data} is in use: '{other.command}' (process {other.process}, since {since:%Y-%m-%d %H:%M:%S}) makes "
        f"{entry} too; wait until it has ended, or set {WAIT_VARIABLE}=60 to wait for it, or run in another data folder"
    )


def _list_others(folder: Path, data: Path, killed: list[str]) -> Iterator[RunningRun]:
    """Return the runs that go on; those that died are cleared away."""
    for file in sorted(folder.glob("*.json")):
        lock = filelock.FileLock(file.with_suffix(".lock"))
        try:
            other = RunningRun.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            other = None
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if other is not None:
                yield other
            continue
        if other is not None and other.mlflow_run:
            killed.append(other.mlflow_run)
        if other is not None:
            remove_leftovers(data, other.process)
        file.unlink(missing_ok=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def remove_leftovers(data: Path, process: int) -> None:
    """Remove what a killed process left half-written under temporary names, which bear its number."""
    for path in [*data.glob(f"*/**/.*.{process}.part*"), *data.glob(f"*/**/.*.{process}.*.partial")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _write(file: Path, run: RunningRun) -> None:
    with write_whole(file) as part:
        part.write_text(run.model_dump_json(indent=1), encoding="utf-8")

"""A run outlives its tracking: MLflow's database may be locked, broken or out of reach, the results are whole on disk.

At the start a store that does not answer is replaced, for this run alone, by a database in the data folder. What is
lost later is said once at the end, with the command that sends everything from disk.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from mammoscan.hooks.run_lock import RUN_LOCK
from mammoscan.tracking.live import PIPELINE_VARIABLE

TRACKING_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, RequestException)
# MLflow would ask a server that does not answer for minutes.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}

logger = logging.getLogger("mammoscan")


def describe_loss(error: BaseException) -> str:
    """Return the first line of what a store said."""
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip().splitlines() or [type(error).__name__]
    return next((line for line in text if line.strip()), text[0])[:200]


def name_resend() -> str:
    """Return the command that sends a finished run's results to MLflow later."""
    return f"mammoscan track {os.environ.get(PIPELINE_VARIABLE) or 'STUDY'}"


class TrackingLossHooks:
    """Keeps what goes wrong between this run and MLflow from the run itself."""

    def __init__(self) -> None:
        self.lost: str | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Ask the store whether it answers before anything depends on it."""
        self.lost = None
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        loader: OmegaConfigLoader = context.config_loader  # type: ignore[assignment]
        # kedro-mlflow makes the pattern known too, later.
        loader.config_patterns.setdefault("mlflow", ["mlflow*", "mlflow*/**", "**/mlflow*"])
        settings: dict[str, Any] = loader["mlflow"]
        uri = settings.get("server", {}).get("mlflow_tracking_uri")
        if not isinstance(uri, str):
            return
        error = ask_store(uri)
        if error is None:
            return
        folder = Path(loader["globals"]["data"]) / ".runs"
        folder.mkdir(parents=True, exist_ok=True)
        fallback = folder / f"tracking-{os.getpid()}.db"
        self.note(error, f"MLflow's store {hide_password(uri)} cannot be used")
        loader["mlflow"] = {
            **settings,
            "server": {**settings["server"], "mlflow_tracking_uri": f"sqlite:///{fallback}"},
        }

    def note(self, error: BaseException, what: str = "MLflow's store was lost") -> None:
        """Remember the first loss and say it."""
        if self.lost is None:
            self.lost = describe_loss(error)
            logger.warning("%s: %s; the run goes on, everything is kept on disk", what, self.lost)

    @hook_impl(wrapper=True)
    def before_pipeline_run(self) -> Generator[None, Any, Any]:
        """Let a run begin without MLflow; one that is refused gives its lock back."""
        try:
            return (yield from self._guard())
        except Exception:
            RUN_LOCK.release()
            raise

    @hook_impl(wrapper=True)
    def before_node_run(self) -> Generator[None, Any, Any]:
        """Let a node begin without MLflow."""
        return (yield from self._guard())

    @hook_impl(wrapper=True)
    def after_node_run(self) -> Generator[None, Any, Any]:
        """Let a node end without MLflow."""
        return (yield from self._guard())

    @hook_impl(wrapper=True)
    def on_pipeline_error(self) -> Generator[None, Any, Any]:
        """Let the run's own error be the one that is shown."""
        return (yield from self._guard())

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None, Any, Any]:
        """Say at the end how to send what was not sent."""
        result = yield from self._guard()
        if self.lost is not None:
            logger.warning(
                "tracking was lost (%s); send this run to MLflow later: %s", self.lost, name_resend()
            )
        return result

    def _guard(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except TRACKING_ERRORS as error:
            self.note(error)
            return None


def ask_store(uri: str) -> BaseException | None:
    """Return why a store cannot be used, or None where it answers."""
    from mlflow import MlflowClient

    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return None  # MLflow makes it
    try:
        if uri.startswith("sqlite:///"):
            check_database(Path(uri.removeprefix("sqlite:///")))
        MlflowClient(uri).search_experiments(max_results=1)
    except TRACKING_ERRORS as error:
        return error
    return None


def check_database(file: Path) -> None:
    """Take SQLite's lock for writing for a moment; a locked, cut or read-only database is an error."""
    connection = sqlite3.connect(file, timeout=5)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT count(*) FROM sqlite_master")
        connection.rollback()
    finally:
        connection.close()


def hide_password(uri: str) -> str:
    """Return an address without what it may carry of a person's password."""
    parts = urlsplit(uri)
    return uri if parts.password is None else uri.replace(f":{parts.password}@", ":…@")


TRACKING_LOSS = TrackingLossHooks()
"""The hook of this process."""

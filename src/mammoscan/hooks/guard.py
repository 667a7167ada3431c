"""How an MLflow run ends where Kedro does not announce its end: by Ctrl-C, by ``kill``, by an error in a hook."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mlflow

LONGEST_ERROR = 5000


def describe_error(error: Exception) -> str:
    """Return the kind and the text of an error, short enough for a tag."""
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


class RunGuard:
    """Watches one MLflow run, so that it ends as killed or failed and neither stays running nor counts as finished."""

    def __init__(self) -> None:
        self._open: tuple[int, str] | None = None
        self._former_handler: Any = None
        # MLflow's own handler, registered before this one and thus called later, would call the run finished.
        atexit.register(self.end_interrupted)

    def watch(self, run_id: str) -> None:
        """Remember the run; ``kill`` interrupts the process from now on as Ctrl-C does."""
        self._open = (os.getpid(), run_id)
        if threading.current_thread() is threading.main_thread():
            self._former_handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    def release(self) -> None:
        """Forget the run: its end is known."""
        self._open = None
        if self._former_handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._former_handler)
        self._former_handler = None

    def end_interrupted(self) -> None:
        """End a run as killed if it is still watched."""
        # A forked worker inherits the mark, but the run is not its own.
        if self._open is None or self._open[0] != os.getpid():
            return
        run_id = self._open[1]
        self.release()
        active = mlflow.active_run()
        if active is not None and active.info.run_id == run_id:
            mlflow.end_run("KILLED")

    @contextmanager
    def fail_run(self) -> Iterator[None]:
        """End the run as failed where the block raises: Kedro announces only the errors of nodes."""
        try:
            yield
        except Exception as error:
            self.release()
            mlflow.set_tag("error", describe_error(error))
            mlflow.end_run("FAILED")
            raise

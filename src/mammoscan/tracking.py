"""Writing to MLflow from inside a node, in whichever process that node runs."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Metric

# The hook sets these when a run starts; a runner's worker processes inherit them.
RUN_ID_VARIABLE = "MAMMOSCAN_MLFLOW_RUN_ID"
TRACKING_URI_VARIABLE = "MLFLOW_TRACKING_URI"
PIPELINE_VARIABLE = "MAMMOSCAN_PIPELINE"
STARTED_VARIABLE = "MAMMOSCAN_STARTED"
COMMAND_VARIABLE = "MAMMOSCAN_COMMAND"

FLUSH_EVERY_S = 1.0


def list_variables() -> dict[str, str]:
    """Return what a process that does not inherit this one's variables must be told of the run."""
    names = (TRACKING_URI_VARIABLE, PIPELINE_VARIABLE, STARTED_VARIABLE, COMMAND_VARIABLE)
    # Without a run that is said too, or a worker would go on writing to the one before.
    known = {RUN_ID_VARIABLE: os.environ.get(RUN_ID_VARIABLE, "")}
    return known | {name: os.environ[name] for name in names if name in os.environ}


class EpochLog:
    """Sends an epoch's numbers to the current MLflow run while they happen, a batch a second.

    Without a run it does nothing, so that nodes can be called without MLflow.
    """

    def __init__(self, prefix: str) -> None:
        """Take the name that stands before each metric, e.g. ``fold_0``."""
        self._prefix = prefix
        self._run_id = os.environ.get(RUN_ID_VARIABLE)
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()

    def add(self, epoch: dict[str, Any]) -> None:
        """Note the numbers of one epoch."""
        if not self._run_id:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for name, value in epoch.items():
            if name not in ("epoch", "epochs") and isinstance(value, int | float) and math.isfinite(value):
                self._waiting.append(Metric(f"{self._prefix}/{name}", float(value), now, int(epoch["epoch"])))
        if time.monotonic() - self._flushed > FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._run_id and self._waiting:
            from mlflow.tracking import MlflowClient

            client = MlflowClient(os.environ[TRACKING_URI_VARIABLE])
            for start in range(0, len(self._waiting), 1000):
                client.log_batch(self._run_id, metrics=self._waiting[start : start + 1000], synchronous=True)
        self._waiting.clear()
        self._flushed = time.monotonic()

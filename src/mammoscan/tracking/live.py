"""Writing to MLflow from inside a node, in whichever process that node runs."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mammoscan.records.history import Epoch
from mammoscan.seals import RUN_VARIABLE

if TYPE_CHECKING:
    from mlflow.entities import Metric


# The hook sets these when a run starts; a runner's worker processes inherit them.
RUN_ID_VARIABLE = "MAMMOSCAN_MLFLOW_RUN_ID"
TRACKING_URI_VARIABLE = "MLFLOW_TRACKING_URI"
PIPELINE_VARIABLE = "MAMMOSCAN_PIPELINE"
STARTED_VARIABLE = "MAMMOSCAN_STARTED"
COMMAND_VARIABLE = "MAMMOSCAN_COMMAND"

FLUSH_EVERY_S = 1.0

logger = logging.getLogger("mammoscan")


def list_variables() -> dict[str, str]:
    """Return what a process that does not inherit this one's variables must be told of the run."""
    names = (TRACKING_URI_VARIABLE, PIPELINE_VARIABLE, STARTED_VARIABLE, COMMAND_VARIABLE, RUN_VARIABLE)
    # Without a run that is said too, or a worker would go on writing to the one before.
    known = {RUN_ID_VARIABLE: os.environ.get(RUN_ID_VARIABLE, "")}
    return known | {name: os.environ[name] for name in names if name in os.environ}


def find_variant(study: str) -> str:
    """Return how a study is called within the pipeline that was started: nothing where it is the pipeline's own.

    A variant has its last name, ``without_any`` of ``mias_author.without_any``; a study of another name its whole one.
    """
    main = os.environ.get(PIPELINE_VARIABLE) or study.partition(".")[0]
    return study.removeprefix(main).lstrip(".") if f"{study}.".startswith(f"{main}.") else study


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

    def add(self, epoch: Epoch) -> None:
        """Note the numbers of one epoch."""
        if not self._run_id:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for name, value in epoch.model_dump(exclude={"epoch"}).items():
            if math.isfinite(value):
                self._waiting.append(Metric(f"{self._prefix}/{name}", float(value), now, epoch.epoch))
        if time.monotonic() - self._flushed > FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._run_id and self._waiting:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
            from sqlalchemy.exc import SQLAlchemyError

            try:
                client = MlflowClient(os.environ[TRACKING_URI_VARIABLE])
                for start in range(0, len(self._waiting), 1000):
                    client.log_batch(
                        self._run_id, metrics=self._waiting[start : start + 1000], synchronous=True
                    )
            except (MlflowException, SQLAlchemyError) as error:
                # A curve is in the fold's history too: the training is worth more than its picture in MLflow.
                logger.warning(
                    "MLflow does not take the epochs of %s: %s", self._prefix, str(error).split("\n")[0][:200]
                )
                self._run_id = None
        self._waiting.clear()
        self._flushed = time.monotonic()


def log_child_run(
    name: str,
    *,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    started: datetime,
    status: str,
) -> None:
    """Write a whole run under the current one, when it has ended: a killed process leaves none half-way.

    Without a current run it does nothing.
    """
    run_id = os.environ.get(RUN_ID_VARIABLE)
    if not run_id:
        return
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    now = int(time.time() * 1000)
    client = MlflowClient(os.environ[TRACKING_URI_VARIABLE])
    child = client.create_run(
        client.get_run(run_id).info.experiment_id,
        start_time=int(started.timestamp() * 1000),
        tags={"mlflow.parentRunId": run_id, **tags},
        run_name=name,
    )
    client.log_batch(
        child.info.run_id,
        params=[Param(key, str(value)) for key, value in params.items()],
        metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
    )
    client.set_terminated(child.info.run_id, status, now)

"""Writing to MLflow from inside a node, in whichever process that node runs."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mammoscan.records.history import Epoch
from mammoscan.seals import RUN_VARIABLE
from mammoscan.tracking.child_runs import log_batch, mark_data, open_child

if TYPE_CHECKING:
    from mlflow import MlflowClient
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
    """The MLflow run of one training, under the run that was started: its epochs arrive there while they happen.

    Without a run it does nothing, so that nodes can be called without MLflow.

    Example:
        ``with EpochLog("fold_0") as log: log.add(epoch)``
    """

    def __init__(self, part: str) -> None:
        """Take what is trained, e.g. ``fold_0`` or ``without_any/fold_0``."""
        self._part = part
        self._root = os.environ.get(RUN_ID_VARIABLE)
        self._client: MlflowClient | None = None
        self._run_id = ""
        self._waiting: list[Metric] = []
        self._flushed = time.monotonic()

    def __enter__(self) -> EpochLog:
        """Open the training's own run."""
        if self._root:
            from mlflow import MlflowClient

            with self._keep_training():
                client = MlflowClient(os.environ[TRACKING_URI_VARIABLE])
                self._run_id = open_child(client, self._root, self._part)
                self._client = client
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what waits and end the run as the training ended."""
        self.flush()
        if self._client is not None:
            failed = "FAILED" if kind is not None and issubclass(kind, Exception) else "KILLED"
            with self._keep_training():
                self._client.set_terminated(self._run_id, "FINISHED" if kind is None else failed)

    def add(self, epoch: Epoch) -> None:
        """Note the numbers of one epoch; at most once a second they are sent."""
        if self._client is None:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        for name, value in epoch.model_dump(exclude={"epoch"}).items():
            if math.isfinite(value):
                # The run's own seconds are those of the whole training.
                named = "epoch_seconds" if name == "seconds" else name
                self._waiting.append(Metric(named, float(value), now, epoch.epoch))
        if time.monotonic() - self._flushed > FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._client is not None and self._waiting:
            with self._keep_training():
                for start in range(0, len(self._waiting), 1000):
                    self._client.log_batch(
                        self._run_id, metrics=self._waiting[start : start + 1000], synchronous=True
                    )
        self._waiting.clear()
        self._flushed = time.monotonic()

    @contextmanager
    def _keep_training(self) -> Iterator[None]:
        """A curve is in the fold's history too: the training is worth more than its picture in MLflow."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError) as error:
            logger.warning(
                "MLflow does not take the epochs of %s: %s", self._part, str(error).split("\n")[0][:200]
            )
            self._client = None


def log_trial(
    part: str, *, params: Mapping[str, Any], metrics: Mapping[str, float], started: datetime, status: str
) -> None:
    """Write a search's trial as a run under the current one, when it has ended: a killed process leaves none half-way.

    Without a current run it does nothing.
    """
    root_id = os.environ.get(RUN_ID_VARIABLE)
    if not root_id:
        return
    from mlflow import MlflowClient

    client = MlflowClient(os.environ[TRACKING_URI_VARIABLE])
    child = open_child(client, root_id, part, started=started.timestamp())
    log_batch(client, child, params=params, metrics=metrics)
    client.set_terminated(child, status)


def mark_run(kind: str, **tags: str) -> None:
    """Say of which kind of data the current run is, as soon as that is known: a phantom's name begins with PHANTOM."""
    if os.environ.get(RUN_ID_VARIABLE):
        from mlflow import MlflowClient

        mark_data(MlflowClient(os.environ[TRACKING_URI_VARIABLE]), os.environ[RUN_ID_VARIABLE], kind, **tags)

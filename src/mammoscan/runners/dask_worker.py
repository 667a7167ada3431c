"""The part of the Dask runner that is made of Dask's own classes, or runs on a worker."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from distributed import Worker, WorkerPlugin
from distributed.cfexecutor import ClientExecutor
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.framework.project import PACKAGE_NAME, configure_project, settings
from kedro.pipeline.node import Node
from kedro.runner.task import Task

from mammoscan.tracking.live import list_variables


class RunSetup(WorkerPlugin):
    """Makes each worker, also one that joins later or replaces a dead one, know the project and the run."""

    name = "mammoscan-run"

    def __init__(self) -> None:
        """Note what this process knows."""
        self._package = PACKAGE_NAME or "mammoscan"
        # Several workers would draw their progress bars over each other.
        self._environment = list_variables() | {"TTY_COMPATIBLE": "0"}

    def setup(self, worker: Worker) -> None:
        """Configure the worker's process."""
        os.environ.update(self._environment)
        # What goes wrong in a node comes back as its error; that a scheduler has gone is no news on a terminal.
        for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        configure_project(self._package)


class NodeExecutor(ClientExecutor):
    """Hands nodes to the cluster, under names that a person finds in Dask's dashboard."""

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a worker compute the node of a ``Task``."""
        assert isinstance(fn, Task)
        return super().submit(compute_node, fn, key=f"{fn.node.name} {uuid.uuid4().hex}")


def compute_node(task: Task) -> Node:
    """Compute a node on a worker.

    The project's own hooks are called there, as Kedro's ``ParallelRunner`` does it. Those of plugins are not:
    kedro-mlflow's would open the MLflow run again, and end it when the worker ends.
    """
    manager = _create_hook_manager()
    _register_hooks(manager, settings.HOOKS)
    task.hook_manager = manager
    return task.execute()

"""Nodes on the workers of a Dask cluster: several processes of this machine, or several machines."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner

from mammoscan.errors import MammoscanError

if TYPE_CHECKING:
    from distributed import Client
    from pluggy import PluginManager

PACKAGE = "mammoscan"
# How long a scheduler may take to answer, and a cluster to have its first worker.
ANSWER_S, WORKER_S = 10, 60


class DaskRunner(AbstractRunner):
    """Runs the nodes of a pipeline on a Dask cluster, as many at a time as it has workers.

    Folds do not depend on each other, so each is trained on a worker of its own. A worker that dies is replaced and
    its node is computed again. Everything that nodes hand on must be a catalog entry: workers read and write the
    files themselves, which therefore lie where all of them see them under one path.
    """

    def __init__(self, address: str | None = None, n_workers: int = 2, is_async: bool = False) -> None:
        """Take what ``--runner-params`` says; nothing is started yet.

        Args:
            address: The scheduler of a running cluster, ``tcp://host:8786``. None starts processes on this machine.
            n_workers: How many, where there is no address.
            is_async: Whether a node's entries are loaded and saved by threads.
        """
        super().__init__(is_async=is_async)
        if importlib.util.find_spec("distributed") is None:
            raise MammoscanError(
                "DaskRunner: found no package distributed, expected Dask; "
                f'pip install "{PACKAGE}[dask]", or leave --runner out'
            )
        if not isinstance(n_workers, int) or n_workers < 1:
            raise MammoscanError(
                f"--runner-params n_workers is {n_workers!r}, expected a whole number of at least 1"
            )
        # Dask reads it when it is imported, in worker processes too; it would tell each step of a cluster's life.
        os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")
        self._address, self._n_workers = address, n_workers
        self._client: Client | None = None

    @property
    def _logger(self) -> logging.Logger:
        # Where the other runners write, so that this one is as quiet.
        return logging.getLogger("kedro.runner")

    def _get_executor(self, max_workers: int) -> Executor:
        from mammoscan.runners.dask_worker import NodeExecutor

        assert self._client is not None
        return NodeExecutor(self._client, pure=False)

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        from distributed import KilledWorker

        for name in sorted(pipeline.all_outputs()):
            if isinstance(catalog.get(name), MemoryDataset):
                raise MammoscanError(
                    f"{name}: found no catalog entry, expected one, as workers do not see each other's memory; "
                    "add it to conf/base/catalog.yml"
                )
        with self._open_client() as client:
            prepare_workers(client)
            self._client = client
            try:
                super()._run(pipeline, catalog, None, run_id)
            except KilledWorker as error:
                raise MammoscanError(
                    f"{str(error.task).partition(' ')[0]}: one worker after the other died over this node, expected "
                    "one to end; look at their memory and their logs"
                ) from error
            finally:
                self._client = None

    @contextmanager
    def _open_client(self) -> Iterator[Client]:
        from distributed import Client, LocalCluster

        if self._address is None:
            # TensorFlow's memory is not Dask's to manage: a limit would only pause or kill workers.
            with (
                LocalCluster(
                    n_workers=self._n_workers, threads_per_worker=1, memory_limit=0, dashboard_address=None
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        try:
            client = Client(self._address, timeout=ANSWER_S)
        except (OSError, ValueError) as error:
            raise MammoscanError(
                f"--runner-params address is {self._address!r}: found no Dask scheduler there "
                f"({type(error).__name__}), expected one that answers; start it with: dask scheduler"
            ) from error
        with client:
            yield client


def prepare_workers(client: Client) -> None:
    """See that every worker can import the project; tell it, and all that come later, about the run."""
    try:
        client.wait_for_workers(1, timeout=WORKER_S)
    except TimeoutError as error:
        raise MammoscanError(
            f"Dask scheduler {client.scheduler.address}: found no worker within {WORKER_S} s, expected at least "
            "one; start it in the project's environment with: dask worker ADDRESS --nthreads 1"
        ) from error
    for worker, answer in sorted(client.run(importlib.import_module, PACKAGE, on_error="return").items()):
        if isinstance(answer, BaseException):
            raise MammoscanError(
                f"Dask worker {worker}: cannot import {PACKAGE} ({type(answer).__name__}: {answer}), expected the "
                f'project in its environment; install it there as it is here, with: pip install "{PACKAGE}[dask]"'
            )
    from mammoscan.runners.dask_worker import RunSetup

    client.register_plugin(RunSetup())

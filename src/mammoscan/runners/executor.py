"""The parts of the Dask runner that are made of Dask's own classes; imported when a run begins."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from distributed import KilledWorker, Worker, WorkerPlugin
from distributed.cfexecutor import ClientExecutor

from mammoscan.errors import MammoscanError
from mammoscan.runners.dask import configure_worker, run_node

"""MLflow's own pages, opened on the runs of the project with the columns that say most."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

from mammoscan.errors import MammoscanError
from mammoscan.tracking.headline import VIEW

# It answers sooner, and with a quarter of the memory; nothing here needs MLflow's jobs.
SETTINGS = {
    "MLFLOW_WORKERS": "1",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}
MAX_START_S = 120


def find_page(tracking_uri: str) -> str:
    """Return the part of an address behind ``#`` that shows the experiment of the newest run."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(
        experiments, "tags.study LIKE '%'", max_results=1, order_by=["attributes.start_time DESC"]
    )
    if not runs:
        return "#/experiments"
    # MLflow's menu is that of language models unless it is told otherwise.
    query = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
    return f"#/experiments/{runs[0].info.experiment_id}/runs?{query}"


def show_runs(tracking_uri: str, host: str, port: int, on_address: Callable[[str], None]) -> None:
    """Serve MLflow's pages until Ctrl-C; of a store that is a server already only the address is told.

    Args:
        tracking_uri: MLflow's store.
        host: Where to listen.
        port: Where to listen.
        on_address: Is called with the address of the runs when it answers.
    """
    page = find_page(tracking_uri)
    if tracking_uri.startswith("http"):
        on_address(f"{tracking_uri.rstrip('/')}/{page}")
        return
    words = ("-m", "mlflow", "ui", "--backend-store-uri", tracking_uri, "--host", host, "--port", str(port))
    # A session of its own: MLflow's server is a process of a process, and all of them end together.
    server = subprocess.Popen(
        [sys.executable, *words, "--uvicorn-opts", "--log-level warning"],
        env=SETTINGS | os.environ,
        stdout=sys.stderr.fileno(),  # what is printed here is the address alone
        start_new_session=True,
    )
    former = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    address = f"http://{host}:{port}"
    try:
        deadline = time.monotonic() + MAX_START_S
        while not _answers(f"{address}/health"):
            if server.poll() is not None or time.monotonic() > deadline:
                raise MammoscanError(
                    f"mlflow ui did not start on {address}; read what it printed, or pass another --port"
                )
            time.sleep(0.2)
        on_address(f"{address}/{page}")
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(server.pid, signal.SIGTERM)
            else:  # Windows has no groups of processes
                server.terminate()
        server.wait()
        signal.signal(signal.SIGTERM, former)


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
        return True
    return False

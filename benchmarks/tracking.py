"""Measure which share of a run MLflow takes.

Run ``python benchmarks/tracking.py`` for ``mias`` on the phantom, ``--env test`` for the toy run. The pipeline runs in
a project of its own, in this process, and every call of MLflow from the project or from kedro-mlflow is timed: the
outermost one, so that nothing is counted twice. The calls of the thread that samples the machine are counted apart;
it runs beside the training. What importing MLflow takes is measured in processes of their own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMPORT = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


class Stopwatch:
    """Adds up the time of the outermost timed calls, by name, for the main thread and the others."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.beside = 0.0
        self._inside = threading.local()

    def watch(self, owner: Any, name: str) -> None:
        """Time a function or method from now on."""
        function: Callable[..., Any] = getattr(owner, name)

        @wraps(function)
        def timed(*words: Any, **more: Any) -> Any:
            if getattr(self._inside, "now", False):
                return function(*words, **more)
            self._inside.now = True
            began = time.perf_counter()
            try:
                return function(*words, **more)
            finally:
                taken = time.perf_counter() - began
                self._inside.now = False
                if threading.current_thread() is threading.main_thread():
                    self.seconds[name] += taken
                    self.calls[name] += 1
                else:
                    self.beside += taken

        setattr(owner, name, timed)


def watch_mlflow() -> Stopwatch:
    """Time what the project and kedro-mlflow call of MLflow."""
    import mlflow
    import mlflow.pyfunc

    watch = Stopwatch()
    fluent = ("start_run", "end_run", "set_tag", "set_tags", "log_metric", "log_metrics", "log_artifact")
    for name in (*fluent, "log_input", "set_experiment", "get_run", "create_experiment"):
        watch.watch(mlflow, name)
    watch.watch(mlflow.pyfunc, "log_model")
    for name in dir(mlflow.MlflowClient):
        if not name.startswith("_") and callable(getattr(mlflow.MlflowClient, name)):
            watch.watch(mlflow.MlflowClient, name)
    return watch


def measure_import(module: str) -> float:
    """Return the seconds that a fresh process takes to import a module, the best of three."""
    done = (
        subprocess.run(
            [sys.executable, "-c", IMPORT.format(module)], capture_output=True, text=True, check=True
        )
        for _ in range(3)
    )
    return min(float(one.stdout.split()[-1]) for one in done)


def main() -> None:
    """Run the pipeline and print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pipeline", default="mias")
    parser.add_argument("--env", default="base")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("src", "data", "conf/local"):
            (folder / part).mkdir(parents=True)
        shutil.copy(ROOT / "pyproject.toml", folder)
        shutil.copytree(
            ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"), dirs_exist_ok=True
        )
        os.chdir(folder)
        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        bootstrap_project(folder)
        watch = watch_mlflow()
        began = time.perf_counter()
        with KedroSession.create(folder, env=words.env) as session:
            session.run(pipeline_names=[words.pipeline])
        whole = time.perf_counter() - began
        os.chdir(ROOT)
    taken = sum(watch.seconds.values())
    print(f"{words.pipeline}, --env {words.env}: {whole:.1f} s; load {os.getloadavg()[0]:.1f}")
    print(
        f"MLflow's calls: {taken:.2f} s, {taken / whole:.1%}; the sampling thread beside it: {watch.beside:.2f} s"
    )
    for name, seconds in watch.seconds.most_common(8):
        print(f"  {name}: {seconds:.2f} s in {watch.calls[name]} calls")
    print(f"importing mlflow: {measure_import('mlflow'):.1f} s in a fresh process")


if __name__ == "__main__":
    main()

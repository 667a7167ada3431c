"""Kill a run at seeded moments over all its stages, repeat it, and compare every file with an undisturbed run's.

python tests/faults/kill_loop.py --moments 100
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from projects import FinishedRun, Project, make_project

# What differs between two equal runs: how long it took, when, where, and the run's name.
VOLATILE = {
    "seconds", "created", "run_id", "started", "folder", "mlflow_run_id", "changelog", "trained", "date", "duration",
}  # fmt: skip
TIMES = re.compile(
    r"[0-9a-f]{32}|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?: UTC)?|\d+ min \d+ s|\d+(?:\.\d+)? (?:min|s)\b"
)


def read_content(file: Path) -> Any:
    """Return what must be equal: the bytes, but for times, places and the run's name where a file tells them."""
    if file.suffix == ".json":
        return json.dumps(_drop_volatile(json.loads(file.read_text())))
    if file.suffix in (".html", ".md", ".txt"):
        return TIMES.sub("", file.read_text())
    if file.suffix == ".keras":
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist() if name != "metadata.json"}
    return file.read_bytes()


def _drop_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _drop_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [_drop_volatile(item) for item in value]
    return TIMES.sub("", value) if isinstance(value, str) else value


def list_different(finished: FinishedRun, project: Project) -> list[str]:
    """Return the outputs that differ from those of an undisturbed run."""
    repeated = FinishedRun(project, finished.pipeline, "", "", 0.0)
    return [
        name
        for name in finished.list_outputs()
        if read_content(repeated.find_file(name)) != read_content(finished.find_file(name))
    ]


def kill_and_repeat(finished: FinishedRun, folder: Path, after_s: float) -> list[str]:
    """Kill a run after some seconds, repeat it, and return what is wrong then.

    Args:
        finished: An undisturbed run of the same pipeline.
        folder: For a project of its own; one that is there is used again.
        after_s: When the whole process group is killed.
    """
    project = Project(folder) if folder.exists() else make_project(folder)
    database = folder / "mlflow.db"
    if not database.exists():
        shutil.copy(finished.project.folder / "mlflow.db", database)
    before = len(project.list_runs())
    process = project.start_kedro("run", "--env", "test", "--pipeline", finished.pipeline)
    time.sleep(after_s)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    project.run_pipeline(finished.pipeline)
    wrong = [f"{name} differs" for name in list_different(finished, project)]
    data = folder / "data"
    wrong += [f"{path.relative_to(folder)} is left over" for path in data.rglob(".*.part*")]
    new = project.list_runs()[: len(project.list_runs()) - before]
    children = [child for run in new for child in project.list_children(run.info.run_id).values()]
    statuses = sorted(run.info.status for run in (*new, *children))
    wrong += [f"MLflow says {status}" for status in statuses if status not in ("FINISHED", "KILLED")]
    return wrong


def main() -> None:
    """Print a line per moment, and how many of them ended with equal files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--pipeline", default="mias")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        finished = make_project(Path(folder, "undisturbed")).run_pipeline(options.pipeline)
        print(f"undisturbed: {finished.seconds:.0f} s", flush=True)
        good = 0
        for number in range(1, options.moments + 1):
            after_s = draw.uniform(1, finished.seconds)
            wrong = kill_and_repeat(finished, Path(folder, "killed"), after_s)
            good += not wrong
            print(f"{number}: killed after {after_s:.1f} s: {'; '.join(wrong) or 'equal'}", flush=True)
            # Every other moment begins in an empty data folder.
            if number % 2 == 0:
                shutil.rmtree(Path(folder, "killed", "data"))
                Path(folder, "killed", "data").mkdir()
    print(f"{good} of {options.moments} repetitions gave the files of an undisturbed run")
    sys.exit(good != options.moments)


if __name__ == "__main__":
    main()

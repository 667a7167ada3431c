"""What was run, in one line per run; where its report lies, and what it takes on the disk."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mammoscan.errors import MammoscanError

MAX_RUNS = 1000
REPORT = "report.html"
_AUC = re.compile(r"([\w.-]+/)?auc")
_BASELINES = ("majority", "metadata", "texture")


@dataclass(frozen=True)
class RunSummary:
    """One MLflow run.

    Attributes:
        headline: The network's AUC with its interval; empty where there is none.
        report: The report's file; None where it is not on this machine.
        folders: Where its artifacts and its models lie on this machine.
        registered: Whether a model of it is registered, so that it may be in use.
    """

    id: str
    study: str
    data: str
    protocol: str
    status: str
    started: datetime
    headline: str
    report: Path | None
    folders: list[Path] = field(default_factory=list)
    registered: bool = False

    def measure_bytes(self) -> int:
        """Return what its files take."""
        files = (path for folder in self.folders for path in folder.rglob("*"))
        return sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink())


def list_summaries(tracking_uri: str, study: str | None = None) -> list[RunSummary]:
    """Return the runs of all studies or of one, the newest first."""
    import mlflow

    file = tracking_uri.removeprefix("sqlite:///")
    if file != tracking_uri and not Path(file).is_file():
        raise MammoscanError(
            f"there is no {file}, so nothing was run here: kedro run --pipeline mias, or start in the project's folder"
        )
    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    condition = "tags.study = '{}'".format(study.replace("'", "")) if study else ""
    runs = client.search_runs(
        experiments, condition, max_results=MAX_RUNS, order_by=["attributes.start_time DESC"]
    )
    registered = {version.run_id for version in client.search_model_versions()}
    return [_summarise(client, run, run.info.run_id in registered) for run in runs]


def delete_runs(tracking_uri: str, summaries: list[RunSummary]) -> None:
    """Delete runs in MLflow, and their files."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    for summary in summaries:
        client.delete_run(summary.id)
        for folder in summary.folders:
            shutil.rmtree(folder, ignore_errors=True)


def _summarise(client: Any, run: Any, registered: bool) -> RunSummary:
    tags, info = run.data.tags, run.info
    artifacts = _find_folder(info.artifact_uri)
    folders = [artifacts.parent] if artifacts and artifacts.parent.name == info.run_id else []
    for output in run.outputs.model_outputs if run.outputs else []:
        model = _find_folder(client.get_logged_model(output.model_id).artifact_location)
        folders += [model.parent] if model and model.parent.name == output.model_id else []
    report = artifacts / REPORT if artifacts else None
    return RunSummary(
        id=info.run_id,
        study=tags.get("study", info.run_name or "?"),
        data=tags.get("data", "?"),
        protocol=tags.get("protocol", "?"),
        status=info.status.lower(),
        started=datetime.fromtimestamp(info.start_time / 1000),
        headline=_write_headline(run.data.metrics),
        report=report if report and report.is_file() else None,
        folders=[folder for folder in folders if folder.is_dir()],
        registered=registered,
    )


def _write_headline(metrics: dict[str, float]) -> str:
    names = [name for name in sorted(metrics, key=len) if _AUC.fullmatch(name)]
    names = [name for name in names if name.partition("/")[0] not in _BASELINES]
    if not names:
        return ""
    low, high = (metrics.get(f"{names[0]}_{end}") for end in ("low", "high"))
    interval = f" [{low:.2f}, {high:.2f}]" if low is not None and high is not None else ""
    return f"AUC {metrics[names[0]]:.2f}{interval}"


def _find_folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path))

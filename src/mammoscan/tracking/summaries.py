"""What was run, in one line per run; where its report lies, and what it takes on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mammoscan.errors import MammoscanError
from mammoscan.tracking.child_runs import PARENT, PART, list_children, name_part
from mammoscan.tracking.headline import NAMES

MAX_RUNS = 1000
REPORT = "report.html"
# Of a training, as a person reads them from left to right.
SCORES = ("loss", "val_loss", "accuracy", "val_accuracy", "val_auc", "auc")


@dataclass(frozen=True)
class RunSummary:
    """One MLflow run.

    Attributes:
        headline: The network's AUC, kappa or R2 with its interval; empty where there is none.
        children: The runs under it, of its variants and trainings; empty unless they were looked for.
        report: The report's file; None where it is not on this machine.
        folders: Where its artifacts and models, and those of the runs under it, lie on this machine.
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
    children: tuple[str, ...] = ()

    def measure_bytes(self) -> int:
        """Return what its files take."""
        files = (path for folder in self.folders for path in folder.rglob("*"))
        return sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink())


def list_summaries(
    tracking_uri: str, study: str | None = None, *, with_children: bool = False
) -> list[RunSummary]:
    """Return the runs of all studies or of one that were started, the newest first.

    Args:
        tracking_uri: MLflow's.
        study: Only this one's.
        with_children: Whether to look for the runs under each, too.
    """
    import mlflow

    file = tracking_uri.removeprefix("sqlite:///")
    if file != tracking_uri and not Path(file).is_file():
        raise MammoscanError(
            f"there is no {file}, so nothing was run here: kedro run --pipeline mias, or start in the project's folder"
        )
    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    condition = "tags.study = '{}'".format(study.replace("'", "")) if study else "tags.study LIKE '%'"
    runs = client.search_runs(
        experiments, condition, max_results=MAX_RUNS, order_by=["attributes.start_time DESC"]
    )
    registered = {version.run_id for version in client.search_model_versions()}
    return [
        _summarise(client, run, registered, list_children(client, run) if with_children else [])
        for run in runs
        if PARENT not in run.data.tags
    ]


@dataclass(frozen=True)
class TrainingSummary:
    """How far a training has come: one of the runs under a run.

    Attributes:
        name: What is trained, e.g. ``fold 1``.
        status: As MLflow has it, in small letters.
        epoch: The last one.
        scores: Its losses and accuracies, and the AUC of the fold's test side once that is measured.
    """

    name: str
    status: str
    epoch: int
    scores: dict[str, float]


def list_trainings(tracking_uri: str, run_id: str) -> list[TrainingSummary]:
    """Return the trainings under a run in the order in which they began."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    found = []
    for child in list_children(client, client.get_run(run_id)):
        scores = {name: child.data.metrics[name] for name in SCORES if name in child.data.metrics}
        if "loss" in scores:
            epoch = max(one.step for one in client.get_metric_history(child.info.run_id, "loss"))
            name = name_part(child.data.tags[PART])
            found.append(TrainingSummary(name, child.info.status.lower(), epoch, scores))
    return found


def delete_runs(tracking_uri: str, summaries: list[RunSummary]) -> None:
    """Delete runs in MLflow, and their files."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    for summary in summaries:
        for run_id in (*summary.children, summary.id):
            client.delete_run(run_id)
        for folder in summary.folders:
            shutil.rmtree(folder, ignore_errors=True)


def _summarise(client: Any, run: Any, registered: set[str], children: list[Any]) -> RunSummary:
    tags, info = run.data.tags, run.info
    artifacts = _find_folder(info.artifact_uri)
    folders = [folder for one in (run, *children) for folder in _find_folders(client, one)]
    report = artifacts / REPORT if artifacts else None
    return RunSummary(
        id=info.run_id,
        study=tags.get("study", info.run_name or "?"),
        data=tags.get("data", "?"),
        protocol=tags.get("protocol", "?"),
        status=info.status.lower(),
        started=datetime.fromtimestamp(info.start_time / 1000),
        headline=next((f"{shown} {tags[name]}" for name, shown in NAMES.items() if name in tags), ""),
        report=report if report and report.is_file() else None,
        folders=[folder for folder in folders if folder.is_dir()],
        registered=info.run_id in registered,
        children=tuple(child.info.run_id for child in children),
    )


def _find_folders(client: Any, run: Any) -> Iterator[Path]:
    artifacts = _find_folder(run.info.artifact_uri)
    if artifacts and artifacts.parent.name == run.info.run_id:
        yield artifacts.parent
    for output in run.outputs.model_outputs if run.outputs else []:
        model = _find_folder(client.get_logged_model(output.model_id).artifact_location)
        if model and model.parent.name == output.model_id:
            yield model.parent


def _find_folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path))

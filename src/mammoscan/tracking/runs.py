"""Finished runs as MLflow keeps them: parameters, results, curves and out-of-fold predictions."""

from __future__ import annotations

import json
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.tracking.child_runs import PARENT, PART

PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
# A page holds no more columns, and every pair of runs is tested.
MOST_RUNS = 12
TAGS = ("study", "protocol", "data", "data_fingerprint", "command", "mlflow.source.git.commit")
_FOLD = re.compile(r"(?:.*/)?(fold_\d+)")


def find_experiments(run_id: str | None) -> list[str] | None:
    """Return the experiment that a run belongs to, as a list; None without a run."""
    import mlflow

    return [mlflow.MlflowClient().get_run(run_id).info.experiment_id] if run_id else None


def find_runs(ids: tuple[str, ...], condition: str, experiments: list[str] | None = None) -> list[Any]:
    """Find the runs that are asked for, in the order asked or the oldest first.

    Args:
        ids: Of MLflow runs.
        condition: A filter in MLflow's language, where there are no ids; it finds finished runs with predictions.
        experiments: Where the filter looks; None means everywhere.

    Returns:
        MLflow's runs, two at least.
    """
    import mlflow

    client = mlflow.MlflowClient()
    if not (ids or condition):
        raise MammoscanError(
            "compare.runs: found none, expected at least two runs' ids, --params compare.runs=ID1+ID2, or "
            "compare.filter; mammoscan runs lists the ids"
        )
    if ids:
        found = [_get_run(client, run_id) for run_id in dict.fromkeys(ids)]
    else:
        found = _search_runs(client, condition, experiments)
    asked = "compare.runs" if ids else f"compare.filter {condition!r}"
    if len(found) < 2:
        what = "run" if ids else "finished run with predictions"
        raise MammoscanError(f"{asked}: found {len(found)} {what}, expected at least two to compare")
    if len(found) > MOST_RUNS:
        raise MammoscanError(
            f"{asked}: found {len(found)} runs, expected at most {MOST_RUNS}; narrow the filter, or name them in "
            "compare.runs"
        )
    return found


def read_runs(found: list[Any]) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Read what the runs left behind.

    Args:
        found: MLflow's runs.

    Returns:
        A dictionary a run: ``name`` (a letter), ``id``, ``started``, the tags in ``TAGS``, ``labels``, ``positive``,
        ``parameters`` (dotted name to text, without the study's name), ``metrics`` (those of the network) and
        ``curves`` (for ``loss`` and ``val_loss``, of each fold, pairs of epoch and value);
        and the network's out-of-fold predictions of all runs, with the run's letter in ``run``.
    """
    import mlflow

    client = mlflow.MlflowClient()
    runs, tables = [], []
    for index, run in enumerate(found):
        name = chr(ord("A") + index)
        with tempfile.TemporaryDirectory() as folder:
            said, measured = (
                _fetch(client, run.info.run_id, file, folder) for file in (PREDICTIONS, METRICS)
            )
            if said is None:
                raise MammoscanError(
                    f"run {run.info.run_id} ({run.data.tags.get('study', 'no study')}, {run.info.status}): found no "
                    f"{PREDICTIONS} among its artifacts, expected a finished run of a study; name another"
                )
            table = pd.read_csv(said, dtype={"sample_id": str, "patient_id": str, "label": str})
            metrics = json.loads(measured.read_text(encoding="utf-8")) if measured else {}
        labels = [column.removeprefix("p_") for column in table.columns if column.startswith("p_")]
        runs.append(
            {tag.rpartition(".")[2]: run.data.tags.get(tag, "") for tag in TAGS}
            | {
                "name": name,
                "id": run.info.run_id,
                "started": f"{datetime.fromtimestamp(run.info.start_time / 1000, UTC):%d %B %Y, %H:%M} UTC",
                "labels": labels,
                "positive": _find_positive(run, labels),
                "parameters": _read_parameters(run),
                "metrics": metrics.get("cnn", {}),
                "curves": _read_curves(client, run),
            }
        )
        tables.append(table[table["model"] == "cnn"].assign(run=name))
    return runs, pd.concat(tables, ignore_index=True)


def _get_run(client: Any, run_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        raise MammoscanError(
            f"compare.runs: {run_id} is no run in {client.tracking_uri}, expected a run's id of 32 characters; "
            "mammoscan runs lists them"
        ) from error


def _search_runs(client: Any, condition: str, experiments: list[str] | None) -> list[Any]:
    from mlflow.exceptions import MlflowException

    where = experiments or [experiment.experiment_id for experiment in client.search_experiments()]
    try:
        found = client.search_runs(where, condition, order_by=["attributes.start_time ASC"])
    except MlflowException as error:
        raise MammoscanError(
            f'compare.filter {condition!r}: {str(error).splitlines()[0]}; expected e.g. tags.study = "mias"'
        ) from error
    # A variant's run has predictions too; a filter means what was started, an id may mean a variant.
    started = [run for run in found if PARENT not in run.data.tags and run.info.status == "FINISHED"]
    return [run for run in started if _has_predictions(client, run.info.run_id)]


def _has_predictions(client: Any, run_id: str) -> bool:
    return any(file.path == PREDICTIONS for file in client.list_artifacts(run_id))


def _fetch(client: Any, run_id: str, file: str, folder: str) -> Path | None:
    if not any(artifact.path == file for artifact in client.list_artifacts(run_id)):
        return None
    return Path(client.download_artifacts(run_id, file, folder))


def _find_positive(run: Any, labels: list[str]) -> str:
    said = run.data.params.get(f"{run.data.tags.get('study', '')}.question.positive")
    return said if said in labels else labels[-1]


def _read_parameters(run: Any) -> dict[str, str]:
    """Return the parameters of what was run; whole blocks are left out, since all their keys are there too."""
    study = run.data.tags.get("study", "")
    known = run.data.params
    leaves = {
        key: value for key, value in known.items() if not any(other.startswith(f"{key}.") for other in known)
    }
    return {key.removeprefix(f"{study}."): leaves[key] for key in sorted(leaves)}


def _read_curves(client: Any, run: Any) -> dict[str, dict[str, list[list[float]]]]:
    """Read the curves of a run's own folds, each of which is a run right under it."""
    curves: dict[str, dict[str, list[list[float]]]] = {"loss": {}, "val_loss": {}}
    children = client.search_runs([run.info.experiment_id], f"tags.`{PARENT}` = '{run.info.run_id}'")
    folds = {
        match[1]: child for child in children if (match := _FOLD.fullmatch(child.data.tags.get(PART, "")))
    }
    for fold, child in sorted(folds.items()):
        for name, found in curves.items():
            if name in child.data.metrics:
                history = client.get_metric_history(child.info.run_id, name)
                points = {entry.step: entry.value for entry in history}
                found[fold] = [[step, points[step]] for step in sorted(points)]
    return curves

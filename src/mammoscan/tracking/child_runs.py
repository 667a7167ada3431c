"""The runs under a run: one per variant, training and trial, so that each has its own curves under plain names.

All of them carry the tag ``part``, the path of what they are within the run (``fold_0``, ``without_any``,
``without_any/fold_0``), and the tag ``root_run``, the id of the run that was started.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PART, ROOT, PARENT, KIND = "part", "root_run", "mlflow.parentRunId", "data"
STAMPS = {"phantom": "PHANTOM", "modified": "MODIFIED DATA"}
MAX_CHILDREN = 5000


def stamp_name(name: str, kind: str | None) -> str:
    """Return a run's name with what a reader of any list must know of its data: ``PHANTOM mias``."""
    stamp = STAMPS.get(kind or "", "")
    return f"{stamp} {name}" if stamp and not name.startswith(stamp) else name


def name_part(part: str) -> str:
    """Return how a part of a run is called: ``fold 1`` for ``fold_0``; people count folds from 1."""
    return ", ".join(_name_word(piece.rpartition(".")[2]) for piece in part.split("/"))


def _name_word(word: str) -> str:
    kind, _, number = word.rpartition("_")
    if kind in ("fold", "trial") and number.isdigit():
        return f"{kind} {int(number) + 1}"
    return "final model" if word == "final" else word.replace("_", " ")


def list_children(client: MlflowClient, root: Run, condition: str = "") -> list[Run]:
    """Return all runs under a run that was started, however deep, the oldest first."""
    wanted = f"tags.{ROOT} = '{root.info.run_id}'" + (f" and {condition}" if condition else "")
    return list(
        client.search_runs(
            [root.info.experiment_id],
            wanted,
            max_results=MAX_CHILDREN,
            order_by=["attributes.start_time ASC"],
        )
    )


def open_child(
    client: MlflowClient,
    root_id: str,
    part: str,
    *,
    started: float | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Return the id of the running child of a run that stands for one of its parts; it is made if it is not there.

    A training that a cluster computes again, after a worker died, goes on in the child of its first try.

    Args:
        client: Of the run's store.
        root_id: The run that was started.
        part: Path of the part, e.g. ``without_any/fold_0``; it stands under ``without_any`` if that has a run.
        started: Seconds since 1970; None means now.
        tags: More tags of a new child.
    """
    root = client.get_run(root_id)
    [child] = list_children(client, root, f"tags.{PART} = '{part}'") or [None]
    if child is not None:
        if child.info.status != "RUNNING":
            client.update_run(child.info.run_id, status="RUNNING")
        return str(child.info.run_id)
    above, _, last = part.rpartition("/")
    [parent] = (list_children(client, root, f"tags.{PART} = '{above}'") if above else []) or [None]
    kind = root.data.tags.get(KIND)
    child = client.create_run(
        root.info.experiment_id,
        start_time=int((started or time.time()) * 1000),
        tags={
            PARENT: parent.info.run_id if parent else root_id,
            ROOT: root_id,
            PART: part,
            **({KIND: kind} if kind else {}),
            **(tags or {}),
        },
        run_name=stamp_name(name_part(last if parent else part), kind),
    )
    return str(child.info.run_id)


def end_children(client: MlflowClient, root_id: str, status: str) -> None:
    """End every run under a run that still goes on."""
    for child in list_children(client, client.get_run(root_id), "attributes.status = 'RUNNING'"):
        client.set_terminated(child.info.run_id, status)


def mark_data(client: MlflowClient, root_id: str, kind: str, **tags: str) -> None:
    """Tag a run and those under it with the kind of their data, and name a phantom's so in every list."""
    root = client.get_run(root_id)
    for run in (root, *list_children(client, root)):
        name = stamp_name(run.info.run_name, kind)
        if name != run.info.run_name:
            client.update_run(run.info.run_id, name=name)
        log_batch(client, run.info.run_id, tags={KIND: kind, **tags})


def log_batch(
    client: MlflowClient,
    run_id: str,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write parameters, metrics and tags to a run in one go: each call is a transaction of its own."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    numbers = [Metric(key, value, now, 0) for key, value in (metrics or {}).items()]
    values = [Param(key, str(value)) for key, value in (params or {}).items()]
    words = [RunTag(key, value) for key, value in (tags or {}).items()]
    # MLflow takes 1,000 entries at once, of which 100 are parameters and 100 are tags.
    for start in range(0, max(len(values), len(words), 1), 100):
        client.log_batch(
            run_id,
            metrics=numbers if start == 0 else [],
            params=values[start : start + 100],
            tags=words[start : start + 100],
        )

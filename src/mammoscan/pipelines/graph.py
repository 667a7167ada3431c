"""Where a node stands in the graph: whose entries it reads and writes, and which box holds it.

Entries bear the name of their study, ``mias.folds``. Nodes do not: Kedro-Viz draws a node without a namespace by its
name, and a namespace as one closed box. So the steps that people look for have none, and what belongs together has a
common one: ``folds``, ``measuring``, ``trust``, ``figures_and_report``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping

from kedro.pipeline import Node, Pipeline

from mammoscan.studies import Study

FOLDS, MEASURING, TRUST, REPORT, VARIANTS = "folds", "measuring", "trust", "figures_and_report", "variants"

# Entries of the data set, which all of its studies read; `grid` says how its scans are standardised.
DATASET_ENTRIES = ("raw", "notes", "malformed", "scans", "images", "params:grid", "params:run.raw_folder")
# Entries that each fold has for itself.
FOLD_ENTRIES = (
    "rows",
    "training_rows",
    "class_counts",
    "model",
    "history",
    "predictions",
    "repeat_predictions",
    "out_of_distribution",
    "explanations",
    "recipe",
    "trials",
)
# How the machine is used, and what a run is told of itself: the same for all studies.
RUN_ENTRIES = ("params:train", "params:run.info")


def place_nodes(
    nodes: Iterable[Node],
    study: Study,
    *,
    box: str = "",
    fold: int | None = None,
    others: Mapping[str, str] | None = None,
) -> Pipeline:
    """Give nodes the entries of a study and a place in a box.

    Args:
        nodes: They name entries as seen from inside the study: ``samples``, ``params:training``.
        study: Whose entries they are.
        box: The namespace; none stands in the open.
        fold: The fold whose own entries are meant.
        others: Full names of entries of other studies.
    """

    def name_entry(name: str) -> str:
        if others and name in others:
            return others[name]
        if name in RUN_ENTRIES:
            return name
        owner = study.dataset if name in DATASET_ENTRIES else study.name
        if fold is not None and name in FOLD_ENTRIES:
            owner = f"{study.name}.fold_{fold}"
        return prefix_entry(name, owner)

    return rename_entries(nodes, name_entry, box)


def place_in_the_open(nodes: Iterable[Node], owner: str, box: str = "") -> Pipeline:
    """Give nodes the entries of a data set, or of a pipeline that belongs to no study, and no box but a named one."""
    shared = (f"params:{owner}", *RUN_ENTRIES)
    return rename_entries(nodes, lambda name: name if name in shared else prefix_entry(name, owner), box)


def prefix_entry(name: str, owner: str) -> str:
    """Return an entry's full name; of a folder or fact of the run, ``params:run.<owner>.<name>``."""
    for prefix in ("params:run.", "params:"):
        if name.startswith(prefix):
            return f"{prefix}{owner}.{name.removeprefix(prefix)}"
    return f"{owner}.{name}"


def rename_entries(nodes: Iterable[Node], name_entry: Callable[[str], str], box: str) -> Pipeline:
    """Rename the entries of each node and put it into a box."""
    placed = []
    with warnings.catch_warnings():
        # Kedro expects a dot in an entry only where the node's namespace has the same first word.
        warnings.filterwarnings("ignore", message="One or more dataset names contain")
        for node in nodes:
            inputs = {name: name_entry(name) for name in node.inputs}
            placed.append(
                Pipeline(
                    [node],
                    inputs={name: to for name, to in inputs.items() if not name.startswith("params:")},
                    outputs={name: name_entry(name) for name in node.outputs},
                    parameters={name: to for name, to in inputs.items() if name.startswith("params:")},
                    namespace=box or None,
                    prefix_datasets_with_namespace=False,
                )
            )
    return sum(placed, start=Pipeline([]))


def join_boxes(*boxes: str) -> str:
    """Return the name of a box within boxes; empty ones are left out."""
    return ".".join(box for box in boxes if box)

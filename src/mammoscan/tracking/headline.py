"""What a person reads of a run in MLflow's list and on top of its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mammoscan.records.dataset import DatasetRecord

NETWORK = "cnn"
# MLflow opens an experiment of this kind on its runs, and one without a kind on its traces.
EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
KINDS = {"phantom": "PHANTOM", "modified": "MODIFIED DATA"}


def format_measure(measure: Mapping[str, Any]) -> str:
    """Return a measure with its interval, ``0.71 [0.62, 0.79]``."""
    if measure.get("value") is None:
        return "not defined"
    if measure.get("low") is None or measure.get("high") is None:
        return f"{measure['value']:.2f}"
    return f"{measure['value']:.2f} [{measure['low']:.2f}, {measure['high']:.2f}]"


def describe_headline(metrics: Mapping[str, Any], record: DatasetRecord | None) -> dict[str, str]:
    """Return the columns of the list of runs as text tags; a phantom's say so.

    Args:
        metrics: Of the network and the baselines.
        record: The data set; None where none was found.
    """
    network = metrics[NETWORK]
    stamp = KINDS.get(record.kind, "") if record is not None else ""
    baselines = {
        name: measured["auc"]
        for name, measured in metrics.items()
        if name != NETWORK and measured.get("auc", {}).get("value") is not None
    }
    best = max(baselines, key=lambda name: baselines[name]["value"], default=None)
    columns = {
        "headline_auc": f"{stamp} {format_measure(network['auc'])}".strip(),
        "patients": str(network.get("patients", "unknown")),
    }
    if best is not None:
        columns["baseline"] = f"{best} {format_measure(baselines[best])}"
    return columns


def write_description(columns: Mapping[str, str], record: DatasetRecord | None, report: bool) -> str:
    """Return the text on top of a run's page, in Markdown."""
    stamp = KINDS.get(record.kind, "") if record is not None else ""
    warning = f"**{stamp}: no number here says anything of patients.**\n\n" if stamp == "PHANTOM" else ""
    against = f"; best baseline: {columns['baseline']}" if "baseline" in columns else ""
    where = "\n\nThe report is `report.html` among the artifacts." if report else ""
    return f"{warning}AUC within folds {columns['headline_auc']} on {columns['patients']} patients{against}.{where}"

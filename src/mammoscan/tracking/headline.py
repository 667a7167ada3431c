"""What a person reads of a run in MLflow's list and on top of its page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from mammoscan.number_format import format_measure
from mammoscan.params import Recipe
from mammoscan.tracking.child_runs import STAMPS

NETWORK = "cnn"
AUC, BASELINE, PATIENTS, RECIPE = "auc_within_folds", "baseline", "patients", "recipe"
ERROR = "mean_absolute_error"
INTERVALS = "intervals"
VIEW = "headline"
"""Name of the view of MLflow's list of runs that `mammoscan ui` opens."""
# Column of MLflow's list to its width in pixels.
COLUMNS = {
    "attributes.`Run Name`": 230,
    "attributes.`Created`": 130,
    f"tags.`{AUC}`": 200,
    f"tags.`{BASELINE}`": 190,
    f"tags.`{PATIENTS}`": 85,
    "tags.`data`": 85,
    "tags.`protocol`": 85,
    "metrics.`loss`": 80,
    "metrics.`val_loss`": 80,
    "metrics.`auc`": 80,
    "metrics.`seconds`": 80,
    f"tags.`{RECIPE}`": 420,
    "attributes.`Dataset`": 200,
}
EXPERIMENT_TAGS = {
    # MLflow opens an experiment of this kind on its runs, and one without a kind on its traces.
    "mlflow.experimentKind": "custom_model_development",
    # What MLflow itself writes when a person shares a view.
    f"mlflow.sharedViewState.{VIEW}": json.dumps(
        {"selectedColumns": list(COLUMNS), "columnOrder": list(COLUMNS), "columnWidths": COLUMNS}
    ),
}
MAX_CURVES = 50
# Pictures that say most, the best first.
PICTURES = ("roc.png", "agreement.png", "confusion_matrix.png")


# What leads a run's measures, the first that its network has, and the column that holds it.
HEADLINES = {"auc": AUC, "kappa": "kappa", "r2": "r2"}
# How these columns are called for a reader.
NAMES = {AUC: "AUC", "kappa": "kappa", "r2": "R2"}


def find_headline(measures: Mapping[str, Any]) -> str | None:
    """Return the measure that leads a network's; None where it has none of them."""
    return next((name for name in HEADLINES if name in measures), None)


def format_interval(measure: Mapping[str, Any]) -> str:
    """Return a measure's interval, ``[0.62, 0.79]``; nothing where there is none."""
    if measure.get("low") is None or measure.get("high") is None:
        return ""
    digits = measure.get("digits", 2)
    return f"[{measure['low']:.{digits}f}, {measure['high']:.{digits}f}]"


def describe_recipe(recipe: Recipe) -> str:
    """Return how a network was trained, in a few words."""
    weights = "" if recipe.network.weights == "none" else f" ({recipe.network.weights})"
    return (
        f"{recipe.network.name}{weights}, {recipe.optimizer} {recipe.learning_rate:g}, "
        f"batches of {recipe.batch_size}, at most {recipe.epochs} epochs"
    )


def describe_headline(metrics: Mapping[str, Any], kind: str | None) -> dict[str, str]:
    """Return the columns of the list of runs as text tags; a phantom's say so.

    Args:
        metrics: Of the network and the baselines.
        kind: Of the data; None where none were found.
    """
    network = metrics[NETWORK]
    headline = find_headline(network) or "auc"
    baselines = {
        name: measured[headline]
        for name, measured in metrics.items()
        if name not in (NETWORK, "mean") and measured.get(headline, {}).get("value") is not None
    }
    best = max(baselines, key=lambda name: baselines[name]["value"], default=None)
    columns = {
        HEADLINES[headline]: f"{STAMPS.get(kind or '', '')} {format_measure(network[headline])}".strip(),
        PATIENTS: str(network.get("patients", "unknown")),
    }
    if headline != "auc":
        columns[ERROR] = format_measure(network["mae"])
    if best is not None:
        columns[BASELINE] = f"{best} {format_measure(baselines[best])}"
    return columns


def link_curves(experiment_id: str, trainings: Sequence[str]) -> str:
    """Return a link to the losses of a run's trainings in one chart; nothing where nothing was trained.

    Args:
        experiment_id: Where they are.
        trainings: The ids of the trainings' runs.
    """
    query = {
        "runs": list(trainings)[:MAX_CURVES],
        "metric": "loss",
        "experiments": [experiment_id],
        "plot_metric_keys": ["loss", "val_loss"],
    }
    words = urlencode({key: json.dumps(value) for key, value in query.items()}, quote_via=quote)
    return f"[Losses of all trainings in one chart](#/metric?{words}&x_axis=step)" if trainings else ""


def write_description(
    run_id: str,
    kind: str | None,
    columns: Mapping[str, str],
    parts: Mapping[str, str],
    files: Sequence[str],
    curves: str = "",
) -> str:
    """Return the text on top of a run's page, in Markdown.

    Args:
        run_id: Whose page it is.
        kind: Of the data.
        columns: The run's own headline; empty where it has none.
        parts: The AUC of each variant, where there are any.
        files: Names of the run's artifacts.
        curves: A link to them.
    """
    blocks = []
    if kind == "phantom":
        blocks.append("**PHANTOM: synthetic images. No number here says anything about patients.**")
    elif kind == "modified":
        blocks.append("**MODIFIED DATA: the files differ from the published ones.**")
    if headline := next((name for name in NAMES if name in columns), None):
        against = f"; best baseline: {columns[BASELINE]}" if BASELINE in columns else ""
        what = "AUC within folds" if headline == AUC else NAMES[headline]
        error = f", mean absolute error {columns[ERROR]}" if ERROR in columns else ""
        blocks.append(f"{what} {columns[headline]}{error} on {columns[PATIENTS]} patients{against}.")
    if parts:
        rows = "\n".join(f"| {name} | {auc} |" for name, auc in parts.items())
        blocks.append(f"| variant | AUC within folds |\n|---|---|\n{rows}")
    where = "The whole report is `report.html` among the artifacts." if "report.html" in files else ""
    blocks += [text for text in (f"{where} {curves}".strip(),) if text]
    picture = next((name for name in PICTURES if name in files), None)
    if picture is not None:
        blocks.append(f"![{picture}](get-artifact?{urlencode({'path': picture, 'run_uuid': run_id})})")
    return "\n\n".join(blocks)

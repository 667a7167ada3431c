from __future__ import annotations

import logging
import os
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan.evaluation.comparison import compare_pairs
from mammoscan.figures import compared_runs
from mammoscan.figures.style import PHANTOM_STAMP
from mammoscan.params import CompareParams
from mammoscan.reporting.comparison_page import build_comparison
from mammoscan.reporting.render import say
from mammoscan.tracking import runs as tracked
from mammoscan.tracking.live import RUN_ID_VARIABLE, mark_run

logger = logging.getLogger("mammoscan")


def open_runs(compare: CompareParams) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Read the runs that are asked for from MLflow.

    Returns:
        What is known of each run, and the out-of-fold predictions of all.
    """
    # A filter looks where this run is tracked: runs at toy size have an experiment of their own.
    experiments = tracked.find_experiments(os.environ.get(RUN_ID_VARIABLE))
    runs, predictions = tracked.read_runs(tracked.find_runs(compare.runs, compare.filter or "", experiments))
    for run in runs:
        logger.info("%s: run %s, %s on %s data", run["name"], run["id"], run["study"], run["data"])
    kinds = {run["data"] for run in runs}
    mark_run(next((kind for kind in ("phantom", "modified") if kind in kinds), "real"))
    return runs, predictions


def compare_runs(
    runs: list[dict[str, Any]], predictions: pd.DataFrame, compare: CompareParams
) -> list[dict[str, Any]]:
    """Test the difference of every two runs on the samples that both predicted out of fold."""
    pairs = compare_pairs(runs, predictions, compare)
    for pair in pairs:
        logger.info("%s and %s: %s", pair["first"], pair["second"], say("pair", pair))
    return pairs


def draw_compared_roc(runs: list[dict[str, Any]], predictions: pd.DataFrame) -> Figure:
    """Draw the ROC curves of all runs on one plot."""
    return compared_runs.draw_compared_roc(runs, predictions, _choose_stamp(runs))


def draw_compared_training(runs: list[dict[str, Any]]) -> Figure:
    """Draw the training curves of all runs on one plot."""
    return compared_runs.draw_compared_training(runs, _choose_stamp(runs))


def write_comparison(
    runs: list[dict[str, Any]],
    pairs: list[dict[str, Any]],
    roc: bytes,
    training: bytes,
    compare: CompareParams,
) -> str:
    """Put the runs on one self-contained HTML page."""
    return build_comparison(runs, pairs, {"roc": roc, "training": training}, compare.level)


def _choose_stamp(runs: list[dict[str, Any]]) -> str:
    return PHANTOM_STAMP if any(run["data"] == "phantom" for run in runs) else ""

"""Nodes that draw what only mini-MIAS has: scans, and places in the breast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan import figures
from mammoscan.pipelines.reporting.drawing import choose_stamp
from mammoscan.sources.mias import list_scans


def draw_scan_sheet(record: dict[str, Any], grids: np.ndarray, samples: pd.DataFrame) -> Figure:
    """Draw scans with their regions marked."""
    regions = samples.drop_duplicates("region_id")
    return figures.draw_scan_sheet(grids[..., 0], list_scans(record), regions, choose_stamp(record))


def draw_place_map(record: dict[str, Any], samples: pd.DataFrame) -> Figure:
    """Draw where in the breast the samples of each label lie, so that a difference would show."""
    return figures.draw_place_map(samples, choose_stamp(record))

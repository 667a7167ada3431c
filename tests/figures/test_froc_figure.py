from __future__ import annotations

import numpy as np
import pandas as pd

from mammoscan.figures.froc import draw_findings


def test_false_findings_are_told_from_hits_also_after_a_table_was_on_disk(read_texts) -> None:
    findings = pd.DataFrame(
        {
            "source": ["a", "b"],
            "row": [100.0, 300.0],
            "column": [100.0, 300.0],
            "score": [0.9, 0.8],
            "region_id": ["r1", np.nan],
        }
    )
    regions = pd.DataFrame(
        {
            "source": ["a", "c"],
            "region_id": ["r1", "r2"],
            "row": [100.0, 100.0],
            "column": [100.0, 100.0],
            "radius": [30.0, 30.0],
            "score": [0.9, np.nan],
        }
    )
    scans = np.zeros((3, 64, 64), np.uint8)
    figure = draw_findings(scans, ["a", "b", "c"], findings, regions, 0.5, "")
    texts = set(read_texts(figure))
    assert {"Regions found", "Regions missed", "False findings on normal scans"} <= texts
    squares = [patch for axes in figure.axes for patch in axes.patches if hasattr(patch, "get_width")]
    assert sorted(square.get_fill() for square in squares if square.get_width() == 8) == [False, True]

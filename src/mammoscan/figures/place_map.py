"""Where in the breast the samples lie, by label."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mammoscan.figures.style import SERIES, SMALL_SIZE, draw_nothing, new_figure, style_axes

_MARKERS = ("o", "^", "s", "D")


def draw_place_map(samples: pd.DataFrame, stamp: str) -> Figure:
    """Return the samples' breast-relative places, one panel a label, so that a difference would show.

    Args:
        samples: The samples table with ``place_u`` and ``place_v``.
        stamp: See ``style.draw_stamp``.
    """
    title = "Where in the breast the samples lie"
    table = samples.drop_duplicates("region_id").dropna(subset=["place_u", "place_v"])
    if table.empty:
        return draw_nothing(new_figure(1.2, title, stamp), "No places are known.")
    labels = table.sort_values("target")["label"].unique()
    figure = new_figure(
        3.6,
        title,
        stamp,
        subtitle="Places relative to the breast: if the clouds differ, place alone can tell the label.",
    )
    panels = figure.subplots(1, len(labels), sharex=True, sharey=True, squeeze=False)[0]
    for number, (axes, label) in enumerate(zip(panels, labels, strict=True)):
        found = table[table["label"] == label]
        axes.scatter(
            found["place_u"],
            found["place_v"],
            s=22,
            color=SERIES[number % len(SERIES)],
            alpha=0.65,
            marker=_MARKERS[number % len(_MARKERS)],
            linewidths=0,
        )
        axes.set_title(f"{label} ({len(found):,})", size=SMALL_SIZE + 1)
        axes.set_xlabel("from chest wall (0) to skin (1)")
        style_axes(axes)
    panels[0].set_ylabel("from top (0) to bottom (1)")
    panels[0].invert_yaxis()
    return figure

"""A contact sheet of samples, grouped by label."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan.figures.style import draw_nothing, new_figure
from mammoscan.figures.tiles import fit_caption, new_tiles, pick_spread, show_image


def draw_sample_sheet(
    pixels: np.ndarray, samples: pd.DataFrame, stamp: str, *, limit: int = 20, columns: int = 10
) -> Figure:
    """Return samples as the network sees them, one block a label, one image a region while they last.

    Args:
        pixels: ``uint8 [N, H, W, C]``.
        samples: The samples table, in the same order.
        stamp: See ``style.draw_stamp``.
        limit: At most so many images a label, spread evenly over its regions.
        columns: Images in a row.
    """
    title = "Samples as the network sees them"
    if samples.empty:
        return draw_nothing(new_figure(1.2, title, stamp), "No samples.")
    table = samples.assign(position=np.arange(len(samples))).sort_values("target", kind="stable")
    blocks: list[tuple[str, list[int], list[str]]] = []
    for label, found in table.groupby("label", sort=False):
        shown = found.drop_duplicates("region_id")
        shown = shown.iloc[pick_spread(len(shown), limit)]
        heading = (
            f"{label}: {len(shown)} of {len(found):,} images, {found['patient_id'].nunique():,} patients"
        )
        # Under its own heading a label is no caption.
        captions = ["" if group == label else group.replace("_", " ") for group in shown["group"].astype(str)]
        blocks.append((heading, shown["position"].tolist(), captions))
    figure, grids = new_tiles(
        [(heading, len(positions)) for heading, positions, _ in blocks],
        columns,
        title,
        stamp,
        caption_lines=int(any(caption for _, _, captions in blocks for caption in captions)),
        subtitle=f"{pixels.shape[1]} × {pixels.shape[2]} pixels each.",
    )
    for grid, (_, positions, groups) in zip(grids, blocks, strict=True):
        for axes, position, group in zip(grid, positions, groups, strict=True):
            show_image(axes, np.asarray(pixels[position]), fit_caption(group, columns))
    return figure

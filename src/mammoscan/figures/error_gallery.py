"""The wrong predictions, the most confident first, each with what the network looked at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscan.figures.image_grids import fit_caption, new_tiles, show_image
from mammoscan.figures.style import NOTICE, draw_nothing, name_model, new_figure
from mammoscan.params import Question

# So many a reader looks at.
MOST_SHOWN = 24
# The heat of an explanation over its image.
EXPLAINED = "Beside each: where the network saw what it said (bright)."
HEAT, HEAT_STRENGTH = "inferno", 0.6


def draw_wrong_gallery(
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    stamp: str,
    *,
    limit: int = MOST_SHOWN,
    model: str = "cnn",
    threshold: float = 0.5,
    columns: int = 6,
    heats: Mapping[tuple[str, int], np.ndarray] | None = None,
) -> Figure:
    """Return the images that a model got wrong, with what it said, its probability and the truth.

    Args:
        pixels: ``uint8 [N, H, W, C]``, in the order of ``samples``.
        predictions: The predictions table.
        samples: The samples table.
        question: Gives the labels and which is the positive one.
        stamp: See ``style.draw_stamp``.
        limit: At most so many images.
        model: Whose predictions.
        threshold: With two labels, the probability from which the positive one is said.
        columns: Images in a row.
        heats: For sample and fold, ``uint8 [H, W]``: where the network saw what it said, shown beside the image.
    """
    title = "Wrong predictions, most confident first"
    chosen = predictions[predictions["model"] == model]
    wrong = find_wrong(chosen, question, threshold)
    if wrong.empty:
        return draw_nothing(
            new_figure(1.2, title, stamp, subtitle=NOTICE),
            f"{name_model(model)}: none of the {len(chosen):,} predictions is wrong."
            if len(chosen)
            else f"{name_model(model)}: no predictions.",
        )
    shown = wrong.head(limit)
    # An explanation takes a place of its own, beside its image.
    places = 2 if heats else 1
    columns += columns % places
    figure, (grid,) = new_tiles(
        [("", places * len(shown))],
        columns,
        title,
        stamp,
        caption_lines=3,
        subtitle=f"{len(shown)} of {len(wrong):,} wrong among {len(chosen):,}; the number is the "
        f"probability given to the wrong answer. {EXPLAINED if heats else ''} {NOTICE}".replace("  ", " "),
    )
    positions = {sample: position for position, sample in enumerate(samples["sample_id"])}
    for index, row in enumerate(shown.to_dict("records")):
        lines = (f"said {row['said']} {row['confidence']:.2f}", f"is {row['label']}", str(row["sample_id"]))
        caption = "\n".join(fit_caption(line, columns // places) for line in lines)
        image = np.asarray(pixels[positions[row["sample_id"]]])
        show_image(grid[places * index], image, caption)
        if heats:
            _show_heat(grid[places * index + 1], image, heats.get((str(row["sample_id"]), int(row["fold"]))))
    return figure


def _show_heat(axes: Axes, image: np.ndarray, heat: np.ndarray | None) -> None:
    if heat is None:
        axes.axis("off")
        return
    show_image(axes, image)
    axes.imshow(heat, cmap=HEAT, vmin=0, vmax=255, alpha=HEAT_STRENGTH, interpolation="bilinear")


def find_wrong(predictions: pd.DataFrame, question: Question, threshold: float = 0.5) -> pd.DataFrame:
    """Return the wrong rows with columns ``said`` and ``confidence``, the most confident first."""
    probabilities = predictions[[f"p_{label}" for label in question.labels]].to_numpy(dtype=float)
    labels = np.array(question.labels)
    if len(labels) == 2:
        positive = question.labels.index(question.positive)
        said = np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)
    else:
        said = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(said)), said] if len(said) else np.zeros(0)
    judged = predictions.assign(said=labels[said], confidence=confidence)
    return judged[judged["said"] != judged["label"]].sort_values(
        ["confidence", "sample_id"], ascending=[False, True], kind="stable"
    )

"""Galleries of predictions: the wrong ones, the most confident first, and a few of all kinds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mammoscan.figures.heat import draw_scale, overlay_heat
from mammoscan.figures.image_grids import new_tiles, pick_spread, show_image, wrap_caption
from mammoscan.figures.style import GREEN, NOTICE, VERMILION, draw_nothing, name_model, new_figure
from mammoscan.number_format import format_share
from mammoscan.params import Question

MAX_SHOWN = 24
MAX_PER_CELL = 16
GALLERY_SIDE = 3
_SCALE_INCHES = 0.55

Heats = Mapping[tuple[str, int], np.ndarray]


def draw_wrong_gallery(
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    stamp: str,
    *,
    limit: int = MAX_SHOWN,
    model: str = "cnn",
    threshold: float = 0.5,
    columns: int = 6,
    heats: Heats | None = None,
) -> Figure:
    """Return the images that a model got wrong, with its answer, that answer's probability and the truth.

    Args:
        pixels: ``uint8 [N, H, W, C]``, in the order of ``samples``.
        predictions: The predictions table.
        samples: The samples table.
        question: Gives the labels and which is the positive one.
        stamp: See ``style.draw_stamp``.
        limit: At most so many images.
        model: Whose predictions.
        threshold: With two labels, the probability from which the answer is the positive one.
        columns: Images in a row.
        heats: For sample and fold, ``uint8 [H, W]``: what speaks for the answer, shown beside the image; where
            there are any, images without one are left out.
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
    names = zip(wrong["sample_id"].astype(str), wrong["fold"].astype(int), strict=True)
    known = wrong[[name in (heats or {}) for name in names]]
    # Only the surest of each cell are explained: the others would leave a gap beside them.
    heats = heats if len(known) else None
    shown = (known if heats else wrong).head(limit)
    # An explanation takes a place of its own, beside its image.
    places = 2 if heats else 1
    columns += columns % places
    explained = "Beside each: where the evidence for the answer lies (bright)." if heats else ""
    captions = [
        wrap_caption(
            f"said {row['said']} {row['confidence']:.2f}\nis {row['label']}\n{row['sample_id']}",
            columns // places,
        )
        for row in shown.to_dict("records")
    ]
    figure, (grid,) = new_tiles(
        [("", places * len(shown))],
        columns,
        title,
        stamp,
        caption_lines=max(caption.count("\n") + 1 for caption in captions),
        footer=_SCALE_INCHES if heats else 0.0,
        subtitle=f"{len(shown)} of {len(wrong):,} wrong among {len(chosen):,}; the number is the "
        f"probability given to the wrong answer. {explained} {NOTICE}".replace("  ", " "),
    )
    positions = {sample: position for position, sample in enumerate(samples["sample_id"])}
    for index, (row, caption) in enumerate(zip(shown.to_dict("records"), captions, strict=True)):
        image = np.asarray(pixels[positions[row["sample_id"]]])
        show_image(grid[places * index], image, caption)
        if heats:
            axes = grid[places * index + 1]
            show_image(axes, overlay_heat(image, heats[str(row["sample_id"]), int(row["fold"])]))
    if heats:
        draw_scale(figure, 0.6, 0.45, 2.6)
    return figure


def draw_answer_gallery(
    pixels: np.ndarray,
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    question: Question,
    stamp: str,
    *,
    threshold: float = 0.5,
    side: int = GALLERY_SIDE,
) -> Figure:
    """Return a square of predictions, right and wrong alike, each with its per cent and its true label.

    Args:
        pixels: ``uint8 [N, H, W, C]``, in the order of ``samples``.
        predictions: The predictions table; the network's rows are shown, spread evenly over its probabilities.
        samples: The samples table.
        question: Gives the labels and which is the positive one.
        stamp: See ``style.draw_stamp``.
        threshold: With two labels, the probability from which the answer is the positive one.
        side: Images in a row, and rows.
    """
    title = "Predictions, from the least to the most likely"
    answers = decide_answers(predictions[predictions["model"] == "cnn"], question, threshold)
    if answers.empty:
        return draw_nothing(new_figure(1.2, title, stamp, subtitle=NOTICE), "No predictions.")
    name = f"p_{question.positive}"
    answers = answers.sort_values([name, "sample_id"], kind="stable")
    last = len(answers) - 1
    places = [round(last * rank / max(1, side * side - 1)) for rank in pick_spread(side * side, len(answers))]
    shown = answers.iloc[sorted(set(places))]
    figure, (grid,) = new_tiles(
        [("", len(shown))],
        side,
        title,
        stamp,
        caption_lines=2,
        width=6.5,
        subtitle=f"Spread evenly over all {len(answers):,} predictions: the probability of {question.positive}, and "
        f"the true label. A frame marks the answer: green is right, orange is wrong. {NOTICE}",
    )
    positions = {sample: position for position, sample in enumerate(samples["sample_id"])}
    for axes, row in zip(grid, shown.to_dict("records"), strict=False):
        right = row["said"] == row["label"]
        verdict = "right" if right else "wrong"
        caption = f"{format_share(row[name])} {question.positive}, {verdict}\ntrue: {row['label']}"
        show_image(axes, np.asarray(pixels[positions[row["sample_id"]]]), caption)
        for spine in axes.spines.values():
            spine.set(visible=True, color=GREEN if right else VERMILION, linewidth=3)
    return figure


def decide_answers(predictions: pd.DataFrame, question: Question, threshold: float = 0.5) -> pd.DataFrame:
    """Return the predictions with the answer in ``said`` and its probability in ``confidence``."""
    probabilities = predictions[[f"p_{label}" for label in question.labels]].to_numpy(dtype=float)
    labels = np.array(question.labels)
    if len(labels) == 2:
        positive = question.labels.index(question.positive)
        said = np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)
    else:
        said = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(said)), said] if len(said) else np.zeros(0)
    return predictions.assign(said=labels[said], confidence=confidence)


def find_wrong(predictions: pd.DataFrame, question: Question, threshold: float = 0.5) -> pd.DataFrame:
    """Return the wrong rows with columns ``said`` and ``confidence``, the most confident first."""
    answers = decide_answers(predictions, question, threshold)
    return answers[answers["said"] != answers["label"]].sort_values(
        ["confidence", "sample_id"], ascending=[False, True], kind="stable"
    )


def pick_cells(
    predictions: pd.DataFrame, question: Question, threshold: float = 0.5, limit: int = MAX_PER_CELL
) -> pd.DataFrame:
    """Return the network's most confident answers in each cell of the confusion matrix, at most ``limit`` of each."""
    answers = decide_answers(predictions[predictions["model"] == "cnn"], question, threshold)
    ordered = answers.sort_values(
        ["label", "said", "confidence", "sample_id"], ascending=[True, True, False, True], kind="stable"
    )
    return ordered.groupby(["label", "said"], sort=False).head(limit)

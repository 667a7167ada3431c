"""The section that lays predictions out on the slides that the patches were cut from."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mammoscan.evaluation.scored import MAIN_MODEL
from mammoscan.figures.probability_map import draw_probability_map as draw_map
from mammoscan.figures.probability_map import pick_slides
from mammoscan.pipelines.reporting.drawing import choose_stamp
from mammoscan.sources.idc import SIDE
from mammoscan.studies import Question

SHOWN = 6


def place_predictions(predictions: pd.DataFrame, samples: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return ``patient_id``, ``x``, ``y``, ``is_positive`` and ``probability`` of each of the network's predictions."""
    network = predictions[predictions["model"] == MAIN_MODEL]
    places = samples[["sample_id", "patient_id", "x", "y", "label"]].merge(
        network[["sample_id", f"p_{question.positive}"]], on="sample_id", validate="one_to_one"
    )
    return pd.DataFrame(
        {
            "patient_id": places["patient_id"].astype(str),
            "x": places["x"],
            "y": places["y"],
            "is_positive": places["label"] == question.positive,
            "probability": places[f"p_{question.positive}"],
        }
    )


def draw_probability_map(
    record: dict[str, Any], predictions: pd.DataFrame, samples: pd.DataFrame, question: Question
) -> Figure:
    """Draw slides patch by patch: the truth, and beside it what the network says."""
    places = place_predictions(predictions, samples, question)
    return draw_map(places, choose_stamp(record), positive=question.positive, side=SIDE, limit=SHOWN)


def describe_slides(predictions: pd.DataFrame, samples: pd.DataFrame, question: Question) -> dict[str, Any]:
    """Tell how well patches are ranked within each slide, which is what a map of one slide needs."""
    places = place_predictions(predictions, samples, question)
    slides = places.groupby("patient_id")
    areas = pd.Series({str(slide): _measure_area(part) for slide, part in slides}, dtype=float)
    known = areas.dropna()
    paragraphs = [
        "Each square of the map is a patch in its place. A map is of use where the network's warm region covers the "
        "true one and little else.",
        f"Within a slide the AUC compares only patches of that slide, so a slide's stain cannot help. Over "
        f"{len(known)} of {len(areas)} slides that hold both labels its median is {known.median():.2f}, and half of "
        f"them lie between {known.quantile(0.25):.2f} and {known.quantile(0.75):.2f}."
        if len(known)
        else "No slide holds patches of both labels, so nothing can be said within slides.",
    ]
    rows = [
        [
            slide,
            len(slides.get_group(slide)),
            f"{100 * slides.get_group(slide)['is_positive'].mean():.0f} %",
            None if pd.isna(areas[slide]) else f"{areas[slide]:.2f}",
        ]
        for slide in pick_slides(places, SHOWN)
    ]
    columns = ["Slide", "Patches", f"of them {question.positive}", "AUC within the slide"]
    return {
        "title": "Slides, patch by patch",
        "paragraphs": paragraphs,
        "tables": [{"caption": "The slides of the map", "columns": columns, "rows": rows}],
        "figures": ["probability_map"],
    }


def _measure_area(part: pd.DataFrame) -> float:
    """Return the AUC within one slide, NaN where it holds one label only."""
    ranks = part["probability"].rank().to_numpy()
    positive = part["is_positive"].to_numpy(dtype=bool)
    many, few = positive.sum(), (~positive).sum()
    if not many or not few:
        return float("nan")
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))

"""The cells of the confusion matrix with their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.figures.error_gallery import decide_answers, pick_cells
from mammoscan.figures.heat import overlay_heat
from mammoscan.params import Question
from mammoscan.reporting.embed import embed_image

GALLERY = 9


@dataclass(frozen=True)
class Answer:
    """One prediction with its image.

    Attributes:
        shares: Each label's probability.
        picture: The image as a data URI.
        heat: The image with what speaks for the answer; empty where nothing is explained.
    """

    sample_id: str
    patient: str
    fold: int
    label: str
    said: str
    shares: Mapping[str, float]
    picture: str
    heat: str

    @property
    def confidence(self) -> float:
        """Probability of the answer."""
        return self.shares[self.said]

    @property
    def right(self) -> bool:
        """Whether the answer is the true label."""
        return self.said == self.label


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix: how often ``label`` got the answer ``said``, and the most confident of them."""

    label: str
    said: str
    count: int
    share: float
    answers: Sequence[Answer]


def build_cells(
    predictions: pd.DataFrame,
    samples: pd.DataFrame,
    pixels: np.ndarray,
    question: Question,
    threshold: float,
    heats: Mapping[tuple[str, int], np.ndarray] | None = None,
) -> list[list[Cell]]:
    """Return the network's confusion matrix, row by row, with images of each cell.

    Args:
        predictions: The predictions table.
        samples: The samples table.
        pixels: ``uint8 [N, H, W, C]``, in the order of ``samples``.
        question: Gives the labels and which is the positive one.
        threshold: With two labels, the probability from which the answer is the positive one.
        heats: For sample and fold, ``uint8 [H, W]``: what speaks for the answer.
    """
    answers = decide_answers(predictions[predictions["model"] == "cnn"], question, threshold)
    counts = answers.groupby(["label", "said"]).size()
    totals = answers["label"].value_counts()
    picked = pick_cells(predictions, question, threshold)
    table = samples.set_index(samples["sample_id"].astype(str))
    positions = {name: position for position, name in enumerate(table.index)}
    groups = {key: part.to_dict("records") for key, part in picked.groupby(["label", "said"])}

    def show(row: Mapping[Any, Any]) -> Answer:
        name, fold = str(row["sample_id"]), int(row["fold"])
        image = np.asarray(pixels[positions[name]])
        heat = (heats or {}).get((name, fold))
        return Answer(
            sample_id=name,
            patient=str(table["patient_id"].iloc[positions[name]]),
            fold=fold + 1,
            label=str(row["label"]),
            said=str(row["said"]),
            shares={label: float(row[f"p_{label}"]) for label in question.labels},
            picture=embed_image(image),
            heat="" if heat is None else embed_image(overlay_heat(image, heat)),
        )

    return [
        [
            Cell(
                label=label,
                said=said,
                count=int(counts.get((label, said), 0)),
                share=float(counts.get((label, said), 0) / max(1, totals.get(label, 0))),
                answers=[show(row) for row in groups.get((label, said), [])],
            )
            for said in question.labels
        ]
        for label in question.labels
    ]


def pick_gallery(cells: Sequence[Sequence[Cell]], limit: int = GALLERY) -> list[Answer]:
    """Return the most confident answers of all cells in turn, right and wrong."""
    queues = [list(cell.answers) for row in cells for cell in row]
    return [queue[turn] for turn in range(limit) for queue in queues if turn < len(queue)][:limit]

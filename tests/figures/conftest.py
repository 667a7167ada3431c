from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mammoscan.params import Question


@pytest.fixture
def question():
    return Question(
        text="Benign or malignant?", about="severity", labels=("benign", "malignant"), positive="malignant"
    )


@pytest.fixture
def samples():
    rng = np.random.default_rng(1)
    count = 40
    target = np.arange(count) % 2
    return pd.DataFrame(
        {
            "sample_id": [f"mdb{number:03d}_0_rotated" for number in range(count)],
            "patient_id": [f"p{number // 2}" for number in range(count)],
            "source": [f"mdb{number:03d}.pgm" for number in range(count)],
            "label": np.array(["benign", "malignant"])[target],
            "target": target,
            "region_id": [f"mdb{number:03d}.1" for number in range(count)],
            "group": np.array(["CALC", "CIRC", "SPIC", "ASYM"])[np.arange(count) // 2 % 4],
            "severity": np.array(["benign", "malignant"])[target],
            "row": rng.uniform(200, 800, count),
            "column": rng.uniform(200, 800, count),
            "radius": rng.uniform(3, 197, count),
            "place_u": rng.random(count),
            "place_v": rng.random(count),
        }
    )


@pytest.fixture
def pixels(samples):
    return np.random.default_rng(2).integers(0, 256, (len(samples), 16, 16, 1), dtype=np.uint8)


@pytest.fixture
def predictions(samples):
    """The network is right on all samples but the last four; the texture baseline guesses."""
    tables = []
    for model in ("cnn", "texture", "majority"):
        chance = np.random.default_rng(3).uniform(0.05, 0.95, len(samples))
        right = np.where(samples["target"] == 1, 0.9, 0.1)
        wrong = np.array([0.6, 0.7, 0.8, 0.99])
        right[-4:] = np.where(samples["target"][-4:] == 1, 1 - wrong, wrong)
        scores = {"cnn": right, "texture": chance, "majority": np.full(len(samples), 0.4)}[model]
        tables.append(
            samples[["sample_id", "patient_id", "label", "target"]].assign(
                model=model, fold=0, p_benign=1 - scores, p_malignant=scores
            )
        )
    return pd.concat(tables, ignore_index=True)


def list_texts(figure):
    """Return every text that is drawn, with its extent."""
    FigureCanvasAgg(figure).draw()
    texts = list(figure.texts)
    legends = list(figure.legends)
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        texts += axes.texts
        if axes.axison:
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                places = zip(axis.get_majorticklabels(), axis.get_majorticklocs(), strict=False)
                texts += [label for label, place in places if low <= place <= high]
        if axes.get_legend():
            legends.append(axes.get_legend())
    texts += [text for legend in legends for text in legend.get_texts()]
    return [
        (text.get_text(), text.get_window_extent())
        for text in texts
        if text.get_visible() and text.get_text().strip()
    ]


@pytest.fixture
def read_texts():
    return lambda figure: [text for text, _ in list_texts(figure)]


@pytest.fixture
def find_collisions():
    """Return the texts that cover each other, leave the figure, or, being of its header, lie on axes."""

    def find(figure):
        extents = list_texts(figure)
        width, height = figure.get_size_inches() * figure.dpi
        outside = [
            (text, "outside")
            for text, box in extents
            if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
        ]
        panels = [axes.get_window_extent() for axes in figure.axes if axes.get_visible()]
        header = [text for text in figure.texts if text.get_gid()]
        outside += [
            (text.get_text(), "on axes")
            for text in header
            for panel in panels
            if text.get_window_extent().y0 < panel.y1 + 1
        ]
        return outside + [
            (one, other)
            for (one, a), (other, b) in combinations(extents, 2)
            if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1
        ]

    return find

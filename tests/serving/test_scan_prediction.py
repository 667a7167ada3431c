"""Maps of whole scans: what is listed is what the model says about the window there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.figures.style import PHANTOM_STAMP
from mammoscan.imaging.crops import cut_window
from mammoscan.imaging.scan_grid import prepare_scan
from mammoscan.params import Recipe, ScanGridParams, ViewParams
from mammoscan.records.card import Card, WindowInput
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.scan_prediction import NEVER_NORMAL, map_picture

CARD = Card(
    study="mias_normal",
    protocol="patient",
    data="phantom",
    labels=("normal", "abnormal"),
    positive="abnormal",
    threshold=0.5,
    temperature=0.4,
    shape=(24, 24, 1),
    input=WindowInput(kind="window", size=24, grid=ScanGridParams(size=96, margin=1), scan_side=512),
    training=Recipe(epochs=1, scale="standard"),
    views=ViewParams(prediction=True),
    notice="",
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    from mammoscan.models.registry import build_network

    return Classifier(build_network("small_cnn", (24, 24, 1), 2, seed=1), CARD)


@pytest.fixture(scope="module")
def scan() -> NDArray[np.uint8]:
    """A breast at the left border of a film that is taller than it is wide."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:512, :400]
    breast = (row - 256) ** 2 + (column * 0.8) ** 2 < 210**2
    texture = np.kron(rng.normal(0, 20, (32, 25)), np.ones((16, 16)))
    return np.clip(breast * (120 + texture), 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_a_region_is_what_the_model_says_of_the_window_there(
    classifier: Classifier, scan: NDArray[np.uint8]
) -> None:
    _, regions, _ = map_picture(classifier, scan, stride=8, limit=4)
    grid, mask = prepare_scan(np.pad(scan, [(0, 0), (0, 112)]), ScanGridParams(size=96, margin=1))
    assert regions["rank"].tolist() == [1, 2, 3, 4]
    assert regions["probability"].is_monotonic_decreasing
    for region in regions.to_dict("records"):
        window = cut_window(grid, region["row"], region["column"], 24, 96 / 512)
        said = classifier.classify(window[None, ..., None])["p_abnormal"].iloc[0]
        assert region["probability"] == pytest.approx(said, abs=1e-4)
        assert region["x"] == region["column"]
        assert region["y"] == 512 - region["row"]
        assert region["side"] == pytest.approx(24 * 512 / 96)
        assert mask[round(region["row"] * 96 / 512), round(region["column"] * 96 / 512)]
    places = regions[["row", "column"]].to_numpy()
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert gaps[np.triu_indices(4, 1)].min() >= 64


def test_the_map_holds_the_breast_and_nothing_else(classifier: Classifier, scan: NDArray[np.uint8]) -> None:
    found, _, figure = map_picture(classifier, scan, name="left.png")
    asked = np.isfinite(found.probabilities[..., 1])
    assert found.probabilities.shape == (13, 13, 2)
    assert asked[6, 1]
    assert not asked[:, 10:].any()
    np.testing.assert_allclose(found.probabilities[asked].sum(axis=1), 1, atol=1e-5)
    words = " ".join(text.get_text() for text in figure.texts)
    assert "left.png" in words
    assert f"{asked.sum()} places" in words
    assert PHANTOM_STAMP in words
    assert NEVER_NORMAL not in words


def test_a_model_that_never_saw_normal_tissue_says_so(
    scan: NDArray[np.uint8], classifier: Classifier
) -> None:
    card = CARD.model_copy(
        update={"labels": ("benign", "malignant"), "positive": "malignant", "data": "real"}
    )
    *_, figure = map_picture(Classifier(classifier.network, card), scan)
    words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert NEVER_NORMAL in words
    assert PHANTOM_STAMP not in words


def test_an_empty_film_has_a_map_without_regions(classifier: Classifier) -> None:
    found, regions, figure = map_picture(classifier, np.zeros((512, 512), np.uint8))
    assert np.isnan(found.probabilities).all()
    assert regions.empty
    assert list(regions.columns) == ["rank", "probability", "x", "y", "row", "column", "side"]
    assert "no place to look at" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(
    ("change", "array", "message"),
    [
        (
            {"input": WindowInput(kind="radius", size=24, grid=ScanGridParams())},
            np.zeros((9, 9), np.uint8),
            "kind radius, expected window",
        ),
        ({}, np.zeros((9, 9, 3), np.uint8), r"uint8 of shape \[9, 9, 3\], expected a grey scan"),
        ({}, np.zeros((9, 9), np.uint16), r"uint16 of shape \[9, 9\], expected a grey scan"),
    ],
)
def test_what_has_no_map_is_refused_in_one_line(
    classifier: Classifier, change: dict[str, Any], array: NDArray, message: str
) -> None:
    with pytest.raises(MammoscanError, match=message):
        map_picture(Classifier(classifier.network, CARD.model_copy(update=change)), array)

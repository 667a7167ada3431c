"""What a model knows of its training images again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mammoscan.evaluation.training_fingerprint import audit_images, fingerprint_images
from planted_division import draw_image


@pytest.fixture(scope="module")
def trained() -> np.ndarray:
    return np.stack([draw_image(number)[..., None] for number in range(30)])


def test_images_are_known_again_as_they_are_turned_and_brighter(trained: np.ndarray) -> None:
    fingerprint = fingerprint_images(trained, np.arange(20))
    brighter = np.clip(trained[3].astype(float) * 1.1 + 6, 0, 255).astype(np.uint8)
    asked = np.stack([trained[1], np.rot90(trained[2]), brighter, np.fliplr(brighter), *trained[20:]])
    found = audit_images(fingerprint, asked)
    assert (found["exact"]["count"], found["views"]["count"], found["near"]["count"]) == (1, 2, 4)
    assert found["images"] == 20
    assert json.dumps(found)
    assert found["sentence"].startswith("2 of the 14 images (14%) are among the 20 images that the model")
    assert "2 more look much like one of them." in found["sentence"]


def test_other_images_are_not_known(trained: np.ndarray) -> None:
    found = audit_images(fingerprint_images(trained, np.arange(20)), trained[20:])
    assert found["views"]["count"] == found["near"]["count"] == 0
    assert "None of the 10 images is among" in found["sentence"]


def test_oblong_images_have_the_views_that_keep_their_shape(trained: np.ndarray) -> None:
    oblong = trained[:, :60]
    found = audit_images(fingerprint_images(oblong, np.arange(20)), oblong[:5, ::-1])
    assert (found["exact"]["count"], found["views"]["count"]) == (0, 5)


def test_the_order_of_a_fingerprint_says_nothing(trained: np.ndarray) -> None:
    first, second = (fingerprint_images(trained, rows) for rows in (np.arange(20), np.arange(20)[::-1]))
    assert first.equals(second)


def test_without_a_fingerprint_nothing_is_claimed(trained: np.ndarray) -> None:
    found = audit_images(None, trained)
    assert "views" not in found
    assert "was not checked" in found["sentence"]
    assert "the very files" in audit_images(None, trained, same_data=True)["sentence"]

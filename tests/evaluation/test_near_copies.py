"""Near copies are found whatever was done to them, the limit comes from the images, and copies decide the verdict."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.evaluation import near_copies
from mammoscan.evaluation.leak_audit import audit_leaks
from mammoscan.evaluation.near_copies import find_near_copies, make_thumbnails, measure_limits
from mammoscan.reporting.render import say
from mammoscan.reporting.verdicts import find_leak, find_tone, say_worth

PATIENTS = 40


def load_benchmark() -> ModuleType:
    file = Path(__file__).resolve().parents[2] / "benchmarks" / "planted_leaks.py"
    spec = importlib.util.spec_from_file_location("planted_leaks", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = load_benchmark()


def draw_texture(seed: int, side: int = 48) -> np.ndarray:
    """A bright blob on coarse and fine texture: alike from image to image, and equal in none."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.normal(0, 1, (size, size)).astype(np.float32)).resize(
                (side, side), Image.Resampling.BICUBIC
            )
        )
        * weight
        for size, weight in ((4, 12), (9, 9), (20, 6))
    ]
    line = np.linspace(-1, 1, side)
    blob = 60 * np.exp(-2 * (line[:, None] ** 2 + line[None, :] ** 2))
    return np.clip(90 + blob + sum(layers), 0, 255).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.stack([draw_texture(seed) for seed in range(2 * PATIENTS)])


@pytest.fixture(scope="module")
def patients() -> np.ndarray:
    return np.array([f"p{row // 2}" for row in range(2 * PATIENTS)], dtype=object)


LIGHT = [name for name in BENCHMARK.ALTERATIONS if not name.startswith(("20 %", "40 %"))]


@pytest.mark.parametrize("name", LIGHT)
def test_nine_of_ten_copies_are_caught_whatever_was_done_to_them(
    name: str, pixels: np.ndarray, patients: np.ndarray
) -> None:
    rng = np.random.default_rng(1)
    copies = np.stack([BENCHMARK.ALTERATIONS[name](image, rng) for image in pixels[:24]])
    thumbnails = make_thumbnails(np.concatenate([pixels, copies]))
    rows = np.arange(len(thumbnails))
    names = np.concatenate([patients, [f"planted {row}" for row in range(24)]])
    limits = measure_limits(thumbnails, rows, names, 24)
    scores, found = find_near_copies(thumbnails, rows[len(pixels) :], rows[: len(pixels)])
    assert (scores > limits.near).mean() >= 0.9
    assert (found == np.arange(24)).mean() >= 0.9


def test_at_most_one_image_in_a_hundred_without_a_copy_is_taken_for_one(
    pixels: np.ndarray, patients: np.ndarray
) -> None:
    thumbnails = make_thumbnails(pixels)
    rows = np.arange(len(pixels))
    limits = measure_limits(thumbnails, rows, patients, len(rows))
    half = rows % 4 < 2
    scores, _ = find_near_copies(thumbnails, rows[half], rows[~half])
    assert (scores > limits.near).sum() <= 2
    assert not (scores > limits.certain).any()
    assert limits.near <= limits.certain <= 1


def test_plain_images_are_near_to_nothing() -> None:
    plain = np.stack([np.full((48, 48, 1), value, np.uint8) for value in (0, 90, 90, 255)])
    scores, _ = find_near_copies(make_thumbnails(plain), np.array([0, 1]), np.array([2, 3]))
    assert (scores == -1).all()


def test_an_image_is_no_copy_of_itself_and_of_nothing_there_is_no_copy(pixels: np.ndarray) -> None:
    thumbnails = make_thumbnails(pixels[:3])
    scores, found = find_near_copies(thumbnails, np.arange(2), np.arange(3))
    assert (scores < 1).all()
    assert (found != np.arange(2)).all()
    assert find_near_copies(thumbnails, np.arange(2), np.arange(0))[0].tolist() == [-1, -1]


@pytest.mark.parametrize("shape", [(5, 48, 48, 1), (5, 500, 300, 3), (5, 16, 32, 1)])
def test_chunks_and_shapes_change_no_thumbnail(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    whole = make_thumbnails(pixels)
    monkeypatch.setattr(near_copies, "CHUNK_BYTES", 1)
    np.testing.assert_array_equal(whole, make_thumbnails(pixels))
    mean = pixels.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(whole.astype(float).mean(axis=(1, 2)), mean, atol=3)


def make_study(
    pixels: np.ndarray, patients: np.ndarray, testing: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"s{row}" for row in range(len(pixels))]
    samples = pd.DataFrame(
        {"sample_id": ids, "patient_id": patients, "source": ids, "region_id": ids, "label": "x"}
    )
    roles = np.where(testing, "test", "train")
    return samples, pd.DataFrame({"sample_id": ids, "row": range(len(ids)), "fold_0": roles})


class TestVerdict:
    @pytest.fixture(scope="class")
    def audit(self, pixels: np.ndarray, patients: np.ndarray) -> dict:
        """Brighter copies of all 20 test images lie in training under other patients' names."""
        copies = pixels[:20] + np.uint8(7)
        whole = np.concatenate([pixels, copies])
        names = np.concatenate([patients, [f"other {row}" for row in range(20)]])
        return audit_leaks(*self.order(whole, names))

    @staticmethod
    def order(pixels: np.ndarray, names: np.ndarray) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
        samples, folds = make_study(pixels, names, np.arange(len(pixels)) < 20)
        return samples, pixels, folds

    def test_copies_under_other_names_are_counted_and_said(self, audit: dict) -> None:
        assert audit["patient"]["count"] == audit["exact"]["count"] == audit["views"]["count"] == 0
        assert audit["near"]["count"] >= 18
        assert audit["near"]["beyond_chance"]
        assert audit["evidence"] == "images"
        assert f"{audit['near']['count']} test images have a near copy in training" in audit["sentence"]

    def test_they_take_the_praise_from_the_verdict_and_the_headline(self, audit: dict) -> None:
        measure = {"value": 0.9, "low": 0.8, "high": 0.95}
        assert find_leak(audit)
        assert find_tone(measure, 0.5, find_leak(audit)) == "doubt"
        said = say("headline", "auc", {"auc": measure}, "images", "patients", 0.95, audit)
        assert "that had not seen that patient" not in said
        assert f"near copies of {audit['near']['count']} of the images" in said
        assert "have a near copy there" in say_worth(audit, measure, None)

    def test_without_copies_nothing_is_said_against_the_number(
        self, pixels: np.ndarray, patients: np.ndarray
    ) -> None:
        audit = audit_leaks(*self.order(pixels, patients))
        assert not audit["near"]["beyond_chance"]
        assert audit["evidence"] == "none"
        assert not find_leak(audit)
        measure = {"value": 0.9, "low": 0.8, "high": 0.95}
        said = say("headline", "auc", {"auc": measure}, "images", "patients", 0.95, audit)
        assert "that had not seen that patient" in said

    def test_a_shared_number_without_a_copy_is_evidence_by_name_only(
        self, pixels: np.ndarray, patients: np.ndarray
    ) -> None:
        names = patients.copy()
        names[:10] = [f"p{row}" for row in range(30, 40)]
        audit = audit_leaks(*self.order(pixels, names))
        assert audit["patient"]["count"] == 10
        assert audit["evidence"] == "name"
        assert "10 patients are on both sides is known from their numbers only" in audit["sentence"]
        assert "nobody can call these data free of leaks" in audit["sentence"]
        assert find_leak(audit)
        said = say_worth(audit, {"value": 0.9}, None)
        assert "No leak was found" not in said
        assert "The evidence is the number alone" in said

    def test_where_no_patient_is_known_nobody_is_called_apart(
        self, pixels: np.ndarray, patients: np.ndarray
    ) -> None:
        samples, folds = make_study(pixels, patients, np.arange(len(pixels)) < 20)
        audit = audit_leaks(samples, pixels, folds, patients_known=False)
        assert "their patients were seen" not in audit["sentence"]
        assert "cannot be called free of leaks" in audit["sentence"]

    def test_of_very_many_images_a_sample_is_compared_and_that_is_said(
        self, pixels: np.ndarray, patients: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(near_copies, "MAX_COMPARISONS", 600)
        audit = audit_leaks(*self.order(pixels, patients))
        assert audit["near"]["tested"] == 10
        assert "(of 10 that were compared)" in audit["sentence"]

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from mammoscan.errors import MammoscanError
from mammoscan.imaging.views import make_view
from mammoscan.models.preprocessing import scale_pixels, scale_tensor
from mammoscan.params import MachineParams
from mammoscan.training.devices import choose_device
from mammoscan.training.early_stopping import Stopping
from mammoscan.training.pixel_blocks import PixelBlocks
from mammoscan.training.sample_order import draw_order, draw_views, tabulate_views
from mammoscan.training.train import weigh_samples
from mammoscan.training.validation import score_probabilities


def test_an_epochs_order_is_a_permutation_that_only_seed_and_epoch_decide() -> None:
    order = draw_order(3, 7, 50)
    assert sorted(order) == list(range(50))
    assert np.array_equal(order, draw_order(3, 7, 50))
    assert not np.array_equal(order, draw_order(3, 8, 50))
    assert not np.array_equal(order, draw_order(4, 7, 50))


def test_every_view_is_drawn_about_as_often_as_another() -> None:
    counts = np.bincount(draw_views(0, 1, 8000), minlength=8)
    assert len(counts) == 8
    assert counts.min() > 850


def test_the_tables_of_views_are_the_views() -> None:
    image = np.random.default_rng(0).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    for k, table in enumerate(tabulate_views(6, 6)):
        assert np.array_equal(image.reshape(36, 3)[table].reshape(6, 6, 3), make_view(image, k))


@pytest.mark.parametrize(("scale", "low", "high"), [("unit", 0, 1), ("standard", -4, 255 / 32 - 4)])
def test_bytes_are_scaled_alike_on_host_and_device(scale: str, low: float, high: float) -> None:
    levels = np.arange(256, dtype=np.uint8)
    values = scale_pixels(levels, scale)  # type: ignore[arg-type]
    assert values.dtype == np.float32
    assert (values[0], values[-1]) == pytest.approx((low, high))
    assert np.array_equal(values, np.asarray(scale_tensor(levels, scale)))  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [2, 3])
def test_scores_are_those_of_scikit_learn(labels: int) -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, labels, 60)
    values = rng.random((60, labels)).round(1) + 0.05
    values = (values / values.sum(1, keepdims=True)).astype(np.float32)
    scores = score_probabilities(values, targets)
    auc = roc_auc_score(targets, values[:, 1] if labels == 2 else values, multi_class="ovr")
    assert scores["val_loss"] == pytest.approx(log_loss(targets, values), rel=1e-5)
    assert scores["val_auc"] == pytest.approx(auc, rel=1e-6)
    assert scores["val_accuracy"] == pytest.approx(np.mean(values.argmax(1) == targets))


def test_auc_of_one_label_is_no_number() -> None:
    assert np.isnan(score_probabilities(np.full((4, 2), 0.5, np.float32), np.ones(4, int))["val_auc"])


def test_balanced_weights_give_every_label_the_same_sum_over_the_training_rows() -> None:
    targets = np.array([0] * 6 + [1] * 2 + [0] * 50)
    weights = weigh_samples(targets, np.arange(8), 2, "balanced")
    assert weights[:6].sum() == pytest.approx(4)
    assert weights[6:8].sum() == pytest.approx(4)
    assert set(weigh_samples(targets, np.arange(8), 2, "none")) == {1}


@pytest.mark.parametrize(("monitor", "values"), [("loss", [3, 2, 2, 2.5]), ("auc", [0.6, 0.7, 0.7, 0.5])])
def test_only_strictly_better_epochs_reset_the_patience(monitor: str, values: list[float]) -> None:
    stopping = Stopping(monitor, patience=2)
    noted = [stopping.note_epoch(i + 1, {f"val_{monitor}": value}) for i, value in enumerate(values)]
    assert noted == [True, True, False, False]
    assert stopping.best_epoch == 2
    assert stopping.is_over


def test_streamed_blocks_hold_the_images_in_the_wanted_order() -> None:
    pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)
    rows = np.arange(39, 9, -1)
    order = np.random.default_rng(0).permutation(30)
    streamed = PixelBlocks(pixels, rows, lambda a: a, resident_bytes=0, block_bytes=9)
    blocks = list(streamed.iterate(order, batch_size=4))
    assert [block.first for block in blocks] == [0, 8, 16, 24]
    shown = np.concatenate([block.images[block.places] for block in blocks])
    assert np.array_equal(shown.ravel(), rows[order])


def test_the_cpu_is_found_with_its_name_memory_and_cores() -> None:
    device = choose_device(MachineParams(device="cpu"))
    assert device.kind == "cpu"
    assert device.name
    assert device.cores >= 1
    assert device.memory_gb > 0


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(MammoscanError, match=r"gpu was asked for, but tensorflow found only the CPU"):
        choose_device(MachineParams(device="gpu"))
    assert choose_device(MachineParams(device="auto")).kind == "cpu"


def test_the_first_gpu_is_taken_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: [SimpleNamespace(name=n) for n in ("one", "two")]
    )
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"device_name": f"card {gpu.name}"}
    )
    for asked in ("auto", "gpu"):
        device = choose_device(MachineParams(device=asked))
        assert (device.kind, device.name, device.place) == ("gpu", "card one", "/GPU:0")
    assert choose_device(MachineParams(device="cpu")).place == "/CPU:0"

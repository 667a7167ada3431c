from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.records.history import Epoch, History
from mammoscan.training import pixel_blocks

Train = Callable[..., tuple[Any, dict[str, Any]]]
NO_ROWS = np.empty(0, np.int64)


def assert_same_bits(first: Any, second: Any) -> None:
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def drop_seconds(history: History) -> list[dict[str, Any]]:
    return [row.model_dump(exclude={"seconds"}) for row in history.epochs]


@pytest.mark.slow
def test_a_network_learns_and_its_history_says_so(train: Train) -> None:
    seen: list[dict[str, Any]] = []
    model, history = train(epochs=12, learning_rate=0.003, on_epoch=seen.append)
    last = history.epochs[-1]
    assert last.val_accuracy > 0.9
    assert last.val_auc > 0.97
    assert last.loss < 0.5 * history.epochs[0].loss
    assert [row.epoch for row in seen] == list(range(1, 13))
    assert seen[-1] == last
    assert history.best_epoch == 12
    assert history.engine == keras.config.backend()
    assert history.parameters == model.count_params()
    assert history.device.kind == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_one_seed_gives_equal_bits_and_another_seed_others(train: Train, engine: str) -> None:
    first, history = train(engine=engine, seed=1)
    second, again = train(engine=engine, seed=1)
    other, _ = train(engine=engine, seed=2)
    assert_same_bits(first, second)
    assert drop_seconds(history) == drop_seconds(again)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_a_training_leaves_nothing_to_the_next_one_on_the_same_program(train: Train) -> None:
    alone, _ = train(seed=4, optimizer="sgd", learning_rate=0.1)
    train(seed=5, optimizer="sgd", learning_rate=0.5, epochs=1)
    after, _ = train(seed=4, optimizer="sgd", learning_rate=0.1)
    assert_same_bits(alone, after)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("training", ["none", "random"])
def test_both_engines_agree_without_dropout(
    train: Train, monkeypatch: pytest.MonkeyPatch, optimizer: str, training: str
) -> None:
    monkeypatch.setattr(keras.layers.Dropout, "call", lambda self, inputs, training=False: inputs)
    words = {
        "training": training,
        "optimizer": optimizer,
        "class_weights": "balanced",
        # Of a size of its own, so that no program that was traced with dropout is taken.
        "n_labels": 3,
        "scale": "standard",
    }
    from mammoscan.training.engines import compiled

    monkeypatch.setattr(compiled, "_idle", {})
    fast, fast_history = train(engine="auto", **words)
    plain, plain_history = train(engine="fit", **words)
    for a, b in zip(fast.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(drop_seconds(fast_history), drop_seconds(plain_history), strict=True):
        assert a == pytest.approx(b, abs=1e-4)


def test_streamed_images_give_the_bits_of_kept_ones(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, history = train()
    monkeypatch.setattr(pixel_blocks, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(pixel_blocks, "BLOCK_BYTES", 2 * 16 * 256)
    streamed, again = train()
    assert_same_bits(kept, streamed)
    for a, b in zip(drop_seconds(history), drop_seconds(again), strict=True):
        assert a == pytest.approx(b, rel=1e-12)


def test_images_may_be_memory_mapped(train: Train, problem: Any, tmp_path: Any) -> None:
    np.save(tmp_path / "pixels.npy", problem.pixels)
    mapped, _ = train(pixels=np.load(tmp_path / "pixels.npy", mmap_mode="r"))
    assert_same_bits(mapped, train()[0])


def test_patience_stops_and_the_best_epochs_weights_come_back(train: Train, problem: Any) -> None:
    # Shuffled labels: what is learnt on the training rows soon hurts the validation rows.
    targets = np.random.default_rng(0).permutation(problem.targets)
    words = {"targets": targets, "learning_rate": 0.01, "training": "none", "seed": 2}
    model, history = train(epochs=40, patience=4, **words)
    losses = [row.val_loss for row in history.epochs]
    best = int(np.argmin(losses)) + 1
    assert history.stopped_early
    assert history.best_epoch == best
    assert len(losses) == best + 4
    assert_same_bits(model, train(epochs=best, **words)[0])


@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_without_validation_rows_the_last_weights_are_kept(train: Train, engine: str) -> None:
    _, history = train(validation=NO_ROWS, patience=1, epochs=3, engine=engine)
    assert history.best_epoch == len(history.epochs) == 3
    assert history.epochs[0].val_loss is None
    assert not history.stopped_early


def test_random_views_and_class_weights_change_what_is_learnt(train: Train) -> None:
    losses = {
        (training, weights): train(training=training, class_weights=weights, epochs=1)[1].epochs[0].loss
        for training, weights in [("none", "none"), ("random", "none"), ("none", "balanced")]
    }
    assert len(set(losses.values())) == 3


@pytest.mark.slow
def test_bfloat16_learns_and_is_another_program(train: Train) -> None:
    model, history = train(precision="bfloat16", epochs=12, learning_rate=0.003)
    assert history.epochs[-1].val_auc > 0.95
    assert model.layers[0].compute_dtype == "bfloat16"
    assert model.layers[-1].compute_dtype == "float32"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_a_loss_that_is_not_finite_stops_with_its_epoch_and_batch(train: Train, engine: str) -> None:
    with pytest.raises(MammoscanError, match=r"loss became (nan|inf) in epoch 1, batch [2-5]"):
        train(engine=engine, optimizer="sgd", learning_rate=1e30, training="none")
    _, history = train(engine=engine)
    assert np.isfinite(history.epochs[-1].loss)


def test_a_broken_batch_is_named_although_images_are_streamed(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_batch() -> str:
        with pytest.raises(MammoscanError) as error:
            train(optimizer="sgd", learning_rate=1e10, training="none")
        return str(error.value)

    kept = find_batch()
    monkeypatch.setattr(pixel_blocks, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(pixel_blocks, "BLOCK_BYTES", 1)
    assert find_batch() == kept


@pytest.mark.slow
def test_two_trainings_at_once_do_not_share_a_program(train: Train) -> None:
    alone, _ = train(seed=8)
    inner: list[Any] = []

    def train_another(row: Epoch) -> None:
        if row.epoch == 2:
            inner.append(train(seed=9)[0])

    outer, _ = train(seed=8, on_epoch=train_another)
    assert_same_bits(outer, alone)
    assert_same_bits(inner[0], train(seed=9)[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"rows": NO_ROWS}, "training rows: found none"),
        ({"rows": np.array([0, 900])}, r"training rows: found positions 0 to 900, expected 0 to 139"),
        ({"targets": np.zeros(7, int)}, "found 7 for 140 images"),
        ({"targets": np.full(140, 5)}, "found 5 to 5, expected 0 to 1"),
        ({"pixels": np.zeros((140, 16, 16, 1), np.float32)}, "found float32"),
        ({"pixels": np.zeros((140, 16, 20, 1), np.uint8)}, "16 x 20 pixels, expected square ones"),
        ({"network": {"name": "other"}}, "found 'other'"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(train: Train, words: dict[str, Any], message: str) -> None:
    with pytest.raises(MammoscanError, match=message):
        train(**words)


def test_auc_cannot_be_monitored_on_rows_of_one_label(train: Train, problem: Any) -> None:
    ones = np.flatnonzero(problem.targets == 1)[:5]
    with pytest.raises(MammoscanError, match="auc is undefined"):
        train(validation=ones, monitor="auc", patience=2)

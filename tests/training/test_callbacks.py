from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

Train = Callable[..., tuple[Any, dict[str, Any]]]
TINY = {"name": "tiny"}


class Listener(keras.callbacks.Callback):
    """Notes what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.logs: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.heard.append(f"begin of {self.params['epochs']} epochs of {self.params['steps']}")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.heard.append(f"epoch {epoch}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.heard.append(f"after {epoch}")
        self.logs.append(dict(logs))

    def on_train_end(self, logs: Any = None) -> None:
        self.heard.append("end")


class BatchListener(Listener):
    """Wants to hear of every batch too."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.heard.append(f"batch {batch}")


@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_every_engine_calls_the_hooks_of_training_and_epochs(train: Train, engine: str) -> None:
    listener = Listener()
    _, history = train(network=TINY, engine=engine, epochs=2, callbacks=[listener])
    assert history.engine == {"auto": keras.config.backend(), "fit": "fit"}[engine]
    epochs = ["epoch 0", "after 0", "epoch 1", "after 1"]
    assert listener.heard == ["begin of 2 epochs of 5", *epochs, "end"]
    for logs, row in zip(listener.logs, history.epochs, strict=True):
        assert logs == row.model_dump(exclude={"epoch", "seconds"})
        assert {"loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "learning_rate"} == set(logs)


def test_who_wants_to_hear_of_batches_gets_keras_own_fit_and_the_log_says_so(
    train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    listener = BatchListener()
    with caplog.at_level(logging.INFO):
        _, history = train(network=TINY, epochs=1, callbacks=[listener])
    assert history.engine == "fit"
    assert listener.heard[1:-1] == ["epoch 0", *(f"batch {number}" for number in range(5)), "after 0"]
    [line] = [record.message for record in caplog.records if "BatchListener" in record.message]
    assert "Keras' own fit" in line


def test_a_function_hung_on_a_batch_counts_too(train: Train) -> None:
    seen: list[int] = []
    hook = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(batch))
    _, history = train(network=TINY, epochs=1, callbacks=[hook])
    assert history.engine == "fit"
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_a_callback_stops_a_training_and_gives_its_own_weights_back(train: Train, engine: str) -> None:
    words: dict[str, Any] = {"network": TINY, "engine": engine, "learning_rate": 0.03, "optimizer": "sgd"}
    # The loss falls, so the first epoch stays the best one where the highest is wanted.
    stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
    model, history = train(epochs=5, callbacks=[stop], **words)
    assert len(history.epochs) == 2
    assert history.stopped_early
    for a, b in zip(model.get_weights(), train(epochs=1, **words)[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # The program is kept for the next training, which nobody stops.
    assert len(train(epochs=3, callbacks=[Listener()], **words)[1].epochs) == 3


@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_a_callback_sets_the_learning_rate(train: Train, engine: str) -> None:
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1))
    scheduled, history = train(network=TINY, engine=engine, callbacks=[schedule])
    rates = [row.learning_rate for row in history.epochs]
    assert rates == pytest.approx([0.01, 0.005, 0.01 / 3])
    given, _ = train(network=TINY, engine=engine, rates=rates)
    for a, b in zip(scheduled.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_a_epoch_needs_no_slower_engine(train: Train, tmp_path: Path) -> None:
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"), monitor="val_loss")
    model, history = train(network=TINY, callbacks=[save])
    assert history.engine == keras.config.backend()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.keras", "2.keras", "3.keras"]
    saved = keras.saving.load_model(tmp_path / "3.keras", compile=False)
    for a, b in zip(model.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    within = keras.callbacks.ModelCheckpoint(str(tmp_path / "x.keras"), save_freq=2)
    assert train(network=TINY, epochs=1, callbacks=[within])[1].engine == "fit"

from __future__ import annotations

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.outputs import build_loss
from mammoscan.models.registry import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.number_training import train_number_network
from mammoscan.training.setup import TrainingData, check_task
from mammoscan.training.validation import score_outputs

AS_IS = ViewParams(stored="one", training="none", prediction=False)
RECIPE = Recipe(epochs=8, patience=8, batch_size=16, learning_rate=0.003)


@pytest.fixture(scope="module")
def films() -> TrainingData:
    """The brighter, the older."""
    rng = np.random.default_rng(0)
    age = rng.uniform(1000, 1100, 120)
    pixels = rng.normal(60, 10, (120, 16, 16, 1)) + 1.2 * (age - 1000)[:, None, None, None]
    return TrainingData(
        pixels.clip(0, 255).astype(np.uint8), age, np.arange(80), np.arange(80, 120), 1, "numbers"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "ensemble"), [("auto", 1), ("fit", 1), ("auto", 2)])
def test_answers_are_in_the_unit_of_the_number(films: TrainingData, engine: str, ensemble: int) -> None:
    machine = MachineParams(engine=engine)
    recipe = RECIPE.model_copy(update={"ensemble": ensemble})
    model, history = train_number_network(films, recipe, machine, AS_IS)
    test = films.validation_rows
    found = predict_probabilities(model, films.pixels, test, recipe=RECIPE, views=AS_IS, machine=machine)
    assert found.shape == (40, 1)
    assert np.abs(found[:, 0] - films.targets[test]).mean() < 12
    # A loss of 1 is that of the mean; numbers have no accuracy.
    assert min(epoch.val_loss for epoch in history.epochs) < 0.5
    assert history.epochs[0].accuracy is None
    assert "accuracy" not in history.epochs[0].model_dump()


def test_a_network_of_numbers_begins_with_the_mean_and_says_what_it_is() -> None:
    model = build_network("small_cnn", (16, 16, 1), 1, seed=3, task="numbers")
    assert model.layers[-1].name == "number"
    assert np.allclose(model.predict(np.random.default_rng(0).random((3, 16, 16, 1)), verbose=0), 0)
    labels = build_network("small_cnn", (16, 16, 1), 2, seed=3)
    assert all(
        np.array_equal(*pair) for pair in zip(model.get_weights()[:-2], labels.get_weights(), strict=False)
    )


def test_the_loss_of_training_is_that_of_validation() -> None:
    rng = np.random.default_rng(0)
    found, targets = rng.normal(0, 2, (20, 1)).astype(np.float32), rng.normal(0, 1, 20).astype(np.float32)
    for loss in ("auto", "huber"):
        each = np.asarray(build_loss(loss, 1, task="numbers")(targets, found))
        assert each.mean() == pytest.approx(
            score_outputs(found, targets, loss, "numbers")["val_loss"], rel=1e-5
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"monitor": "auc"}, "training.monitor is 'auc', expected 'loss' where numbers are predicted"),
        ({"class_weights": "balanced"}, "training.class_weights is 'balanced', expected 'none'"),
        ({"loss": "focal"}, "training.loss is 'focal', expected one of auto, squared, huber"),
    ],
)
def test_what_is_about_labels_is_refused(change: dict, words: str) -> None:
    with pytest.raises(MammoscanError, match=words):
        check_task(RECIPE.model_copy(update=change), "numbers")


def test_a_loss_of_numbers_is_refused_where_labels_are_predicted() -> None:
    with pytest.raises(MammoscanError, match=r"training\.loss is 'huber'"):
        check_task(RECIPE.model_copy(update={"loss": "huber"}), "classes")

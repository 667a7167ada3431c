"""What the keys of a recipe make of a training, on networks that take no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.inference.backbone_features import check_features, compose_model, compute_features
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models import build_network
from mammoscan.models.outputs import build_loss
from mammoscan.params import MachineParams, PlateauParams, Recipe, ViewParams
from mammoscan.records.history import Epoch, History
from mammoscan.training import checkpoints, pixel_blocks
from mammoscan.training.optimizers import Phase, Plateau, list_phases

Train = Callable[..., tuple[Any, dict[str, Any]]]
NO_ROWS = np.empty(0, np.int64)
TINY = {"name": "tiny"}
BODY = {"name": "tiny_body"}
BENT = {"rotation": 10, "shear": 5, "zoom": (0.9, 1.1), "flip_horizontal": True}
ENGINES = pytest.mark.parametrize("engine", ["auto", "fit"])


def drop_seconds(history: History) -> list[dict[str, Any]]:
    return [row.model_dump(exclude={"seconds"}) for row in history.epochs]


def assert_same_bits(first: Any, second: Any) -> None:
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class TestSigmoid:
    @pytest.mark.slow
    @ENGINES
    def test_it_learns_and_gives_a_probability_for_each_label(
        self, train: Train, problem: Any, engine: str
    ) -> None:
        model, history = train(
            network=TINY, engine=engine, epochs=10, learning_rate=0.01, class_weights="balanced", patience=10
        )
        assert model.output_shape == (None, 1)
        assert history.epochs[-1].val_auc > 0.95
        assert history.epochs[-1].accuracy > 0.85
        found = predict_probabilities(
            model,
            problem.pixels,
            problem.test,
            recipe=Recipe(epochs=1),
            views=ViewParams(prediction=False),
            machine=MachineParams(device="cpu"),
        )
        assert found.shape == (len(problem.test), 2)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
        assert (found.argmax(1) == problem.targets[problem.test]).mean() > 0.8

    @pytest.mark.slow
    @pytest.mark.parametrize(("network", "loss"), [(TINY, "auto"), (BODY, "binary_crossentropy")])
    def test_both_engines_agree_with_everything_on(
        self, train: Train, monkeypatch: pytest.MonkeyPatch, network: dict[str, str], loss: str
    ) -> None:
        import keras

        monkeypatch.setattr(keras.layers.Dropout, "call", lambda self, inputs, training=False: inputs)
        words = {
            "network": network,
            "loss": loss,
            "augmentation": BENT,
            "plateau": {"patience": 1, "factor": 0.5},
            "class_weights": "balanced",
            "n_labels": 2 if network is TINY else 3,
            "learning_rate": 0.003,
            "epochs": 4,
        }
        if network is BODY:
            words |= {"phases": {"head_epochs": 2, "fine_rate": 1e-3}, "scale": "backbone"}
        from mammoscan.training.engines import compiled

        monkeypatch.setattr(compiled, "_idle", {})
        fast, fast_history = train(engine="auto", **words)
        plain, plain_history = train(engine="fit", **words)
        for a, b in zip(fast.get_weights(), plain.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-5)
        for a, b in zip(drop_seconds(fast_history), drop_seconds(plain_history), strict=True):
            assert a == pytest.approx(b, abs=2e-4)


class TestAugmentation:
    @pytest.mark.slow
    def test_it_changes_what_is_learnt_and_one_seed_gives_equal_bits(
        self, train: Train, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, _ = train(network=TINY, augmentation=BENT)
        plain, _ = train(network=TINY)
        assert not np.array_equal(first.get_weights()[0], plain.get_weights()[0])
        monkeypatch.setattr(pixel_blocks, "RESIDENT_BYTES", 0)
        monkeypatch.setattr(pixel_blocks, "BLOCK_BYTES", 2 * 16 * 256)
        assert_same_bits(first, train(network=TINY, augmentation=BENT)[0])

    @pytest.mark.slow
    def test_it_needs_no_square_and_bends_colour(self, train: Train) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (140, 12, 20, 3), dtype=np.uint8)
        _, history = train(network=TINY, augmentation=BENT, pixels=pixels, training="none", epochs=1)
        assert np.isfinite(history.epochs[0].loss)


class TestRates:
    def test_cuts_are_those_of_keras(self) -> None:
        import keras

        losses = [1.0, 0.9, 0.95, 0.9, 0.89995, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6]
        model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.1))
        reference = keras.callbacks.ReduceLROnPlateau(factor=0.3, patience=2, min_lr=0.005)
        reference.set_model(model)
        reference.on_train_begin()
        plateau = Plateau(PlateauParams(patience=2, factor=0.3, floor=0.005), "loss")
        rate, mine, theirs = 0.1, [], []
        for epoch, loss in enumerate(losses):
            reference.on_epoch_end(epoch, {"val_loss": loss})
            theirs.append(float(model.optimizer.learning_rate))
            rate = plateau.choose_rate({"val_loss": loss}, rate)
            mine.append(rate)
        assert mine == pytest.approx(theirs)
        assert len(set(mine)) == 4

    def test_phases_divide_the_epochs(self) -> None:
        recipe = Recipe(epochs=9, phases={"head_epochs": 4, "fine_rate": 1e-5}, learning_rate=0.1)
        assert list_phases(recipe, 9, True) == [Phase(1, 4, True, 0.1), Phase(5, 9, False, 1e-5)]
        assert list_phases(recipe, 3, True) == [Phase(1, 3, True, 0.1)]
        assert list_phases(Recipe(epochs=9), 9, False) == [Phase(1, 9, False, 1e-3)]

    @pytest.mark.slow
    @ENGINES
    def test_the_backbone_learns_in_the_second_phase_only(
        self, train: Train, problem: Any, engine: str
    ) -> None:
        rows: list[dict[str, Any]] = []
        words = {"network": BODY, "phases": {"head_epochs": 2, "fine_rate": 1e-4}, "engine": engine}
        fresh = build_network("tiny_body", (16, 16, 1), 2, seed=0)
        first, _ = train(epochs=2, **words)
        body = [variable.path for variable in fresh.variables if variable.path.startswith("body")]
        assert len(body) == 5
        for path, mine, theirs in zip(
            (variable.path for variable in fresh.weights),
            first.get_weights(),
            fresh.get_weights(),
            strict=True,
        ):
            assert np.array_equal(mine, theirs) == path.startswith("body"), path
        both, _ = train(epochs=4, on_epoch=rows.append, patience=1, **words)
        assert not np.array_equal(both.get_weights()[0], fresh.get_weights()[0])
        assert [row.learning_rate for row in rows] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4][: len(rows)])
        assert all(layer.trainable for layer in both.layers)

    def test_patience_does_not_end_the_first_phase(self, train: Train, problem: Any) -> None:
        targets = np.random.default_rng(0).permutation(problem.targets)
        _, history = train(
            network=BODY,
            targets=targets,
            phases={"head_epochs": 12, "fine_rate": 1e-5},
            patience=1,
            epochs=20,
            learning_rate=0.1,
        )
        assert len(history.epochs) > 12
        assert history.stopped_early

    @ENGINES
    def test_given_rates_are_followed(self, train: Train, engine: str) -> None:
        rates = [0.01, 0.004, 0.001]
        _, history = train(
            network=TINY,
            rates=rates,
            plateau={"patience": 1, "factor": 0.1},
            validation=NO_ROWS,
            engine=engine,
        )
        assert [row.learning_rate for row in history.epochs] == pytest.approx(rates)

    # Within the first phase, at its end, and within the second.
    @pytest.mark.slow
    @pytest.mark.parametrize(("engine", "stop"), [("auto", 2), ("auto", 4), ("auto", 5), ("fit", 5)])
    def test_a_training_with_all_of_it_resumes_to_equal_bits(
        self, train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str, stop: int
    ) -> None:
        monkeypatch.setattr(checkpoints, "_MIN_SECONDS", 0.0)
        monkeypatch.setattr(checkpoints, "_SHARE", 1e9)
        words = {
            "network": BODY,
            "engine": engine,
            "epochs": 6,
            "patience": 6,
            "learning_rate": 0.05,
            "augmentation": BENT,
            "plateau": {"patience": 1, "factor": 0.3},
            "phases": {"head_epochs": 3, "fine_rate": 0.01},
            "checkpoint": tmp_path / "fold" / "training.ckpt",
        }
        whole, history = train(**words)
        assert len({row.learning_rate for row in history.epochs}) > 2

        def interrupt(row: Epoch) -> None:
            if row.epoch == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(on_epoch=interrupt, **words)
        resumed, again = train(resume=True, **words)
        assert again.resumed_after == stop - 1
        assert_same_bits(whole, resumed)
        assert drop_seconds(again) == drop_seconds(history)


class TestFrozen:
    RECIPE = Recipe(epochs=6, network=BODY, freeze=True, learning_rate=0.05, scale="backbone", batch_size=16)
    STILL = ViewParams(training="none", prediction=False)
    CPU = MachineParams(device="cpu")

    def make_features(self, problem: Any) -> np.ndarray:
        count, stream = compute_features(problem.pixels, self.RECIPE, self.CPU)
        found = np.concatenate(list(stream))
        assert found.shape == (140, count)
        assert found.dtype == np.float32
        return found

    def test_a_head_on_its_backbone_answers_as_it_does_on_features(self, train: Train, problem: Any) -> None:
        features = self.make_features(problem)
        words = self.RECIPE.model_dump(exclude_defaults=True)
        head, history = train(pixels=features, training="none", **words)
        assert history.epochs[-1].loss < history.epochs[0].loss
        whole = compose_model(head, self.RECIPE, (16, 16, 1), 2, self.CPU)
        more = {"recipe": self.RECIPE, "views": self.STILL, "machine": self.CPU}
        wanted = predict_probabilities(head, features, problem.test, **more)
        found = predict_probabilities(whole, problem.pixels, problem.test, **more)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        fresh = build_network("tiny_body", (16, 16, 1), 2, seed=0)
        np.testing.assert_array_equal(
            whole.get_layer("body_conv").kernel, fresh.get_layer("body_conv").kernel
        )

    @pytest.mark.slow
    @ENGINES
    def test_images_teach_the_head_what_their_features_do(
        self, train: Train, problem: Any, engine: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import keras

        monkeypatch.setattr(keras.layers.Dropout, "call", lambda self, inputs, training=False: inputs)
        from mammoscan.training.engines import compiled

        monkeypatch.setattr(compiled, "_idle", {})
        words = {**self.RECIPE.model_dump(exclude_defaults=True), "training": "none", "engine": engine}
        head, _ = train(pixels=self.make_features(problem), **words)
        whole, _ = train(**words)
        for a, b in zip(head.get_weights(), whole.get_weights()[-2:], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)

    def test_what_features_cannot_give_is_refused(self, train: Train, problem: Any) -> None:
        features = np.zeros((140, 6), np.float32)
        with pytest.raises(MammoscanError, match=r"views.training: found random with recipe.freeze"):
            train(pixels=features, network=BODY, freeze=True)
        with pytest.raises(MammoscanError, match=r"found float32 of shape \(140, 6\)"):
            train(pixels=features, network=BODY)
        with pytest.raises(MammoscanError, match=r"freeze needs a network with a pretrained backbone"):
            train(network=TINY, freeze=True)
        with pytest.raises(MammoscanError, match=r"views.prediction is True and training.freeze is true"):
            check_features(self.RECIPE, ViewParams(training="none"))
        check_features(self.RECIPE, self.STILL)

    @pytest.mark.slow
    def test_a_real_backbone_does_all_of_it(self, train: Train) -> None:
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 255, (24, 32, 32, 3), dtype=np.uint8)
        recipe = Recipe(epochs=2, network={"name": "mobilenet_v2"}, freeze=True, scale="backbone")
        count, stream = compute_features(pixels, recipe, self.CPU)
        features = np.concatenate(list(stream))
        assert count == 1280
        words = recipe.model_dump(exclude_defaults=True)
        head, _ = train(
            pixels=features,
            targets=rng.integers(0, 2, 24),
            rows=np.arange(16),
            validation=np.arange(16, 24),
            training="none",
            **words,
        )
        whole = compose_model(head, recipe, (32, 32, 3), 2, self.CPU)
        more = {"recipe": recipe, "views": self.STILL, "machine": self.CPU}
        np.testing.assert_allclose(
            predict_probabilities(whole, pixels, np.arange(3), **more),
            predict_probabilities(head, features, np.arange(3), **more),
            atol=1e-4,
        )


class TestNewerParts:
    """AdamW, a cosine, a moving average, smoothed labels and changed grey levels, in every engine."""

    WORDS: ClassVar[dict[str, Any]] = {
        "optimizer": "adamw",
        "weight_decay": 0.01,
        "ema": 0.8,
        "label_smoothing": 0.1,
        "cosine": {"warmup": 2, "floor": 0.1},
        "keep": "best",
        "augmentation": {"shift_width": 0.1, "brightness": 0.1, "contrast": 0.2, "fill": "reflect"},
    }

    def test_engines_agree_on_all_of_it(
        self, train: Train, problem: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import keras

        # Dropout draws differ between the engines.
        monkeypatch.setattr(keras.layers.Dropout, "call", lambda self, inputs, training=False: inputs)
        words = {"epochs": 4, "network": {"name": "tiny_body"}, "training": "none", **self.WORDS}
        (one, first), (two, second) = (train(engine=engine, **words) for engine in ("auto", "fit"))
        for mine, theirs in zip(one.get_weights(), two.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-3)
        rates = [row.learning_rate for row in first.epochs]
        assert rates == pytest.approx([5e-4, 1e-3, 5.5e-4, 1e-4])
        assert [row.learning_rate for row in second.epochs] == pytest.approx(rates)
        # Nothing stops without patience, and still the best epoch is kept.
        losses = [row.val_loss for row in first.epochs]
        assert len(losses) == 4
        assert first.best_epoch == int(np.argmin(losses)) + 1

    def test_the_average_is_what_is_validated_and_kept(self, train: Train, problem: Any) -> None:
        words = {"epochs": 2, "network": {"name": "tiny"}, "training": "none"}
        plain, _ = train(**words)
        slow, history = train(ema=0.99, **words)
        again, _ = train(**words)
        fresh, _ = train(learning_rate=1e-12, **words)
        distance = [np.abs(model.get_weights()[0] - fresh.get_weights()[0]).max() for model in (plain, slow)]
        assert 0 < distance[1] < 0.5 * distance[0]
        np.testing.assert_array_equal(plain.get_weights()[0], again.get_weights()[0])
        found = predict_probabilities(
            slow,
            problem.pixels,
            problem.validation,
            recipe=Recipe(epochs=1),
            views=ViewParams(prediction=False),
            machine=MachineParams(device="cpu"),
        )
        accuracy = float((found.argmax(axis=1) == problem.targets[problem.validation]).mean())
        assert history.epochs[-1].val_accuracy == pytest.approx(accuracy)

    def test_the_last_epoch_is_kept_although_patience_stops(self, train: Train) -> None:
        words = {"epochs": 30, "network": {"name": "tiny"}, "learning_rate": 0.05, "patience": 1}
        _, best = train(keep="best", **words)
        _, last = train(keep="last", **words)
        assert best.stopped_early
        assert len(best.epochs) == len(last.epochs)
        assert best.best_epoch == len(best.epochs) - 1
        assert last.best_epoch == len(last.epochs)

    def test_it_resumes_to_equal_bits(
        self, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checkpoints, "_MIN_SECONDS", 0.0)
        monkeypatch.setattr(checkpoints, "_SHARE", 1e9)
        words = {"epochs": 4, "network": {"name": "tiny_body"}, **self.WORDS}
        whole, _ = train(**words)

        def interrupt(row: Epoch) -> None:
            if row.epoch == 3:
                raise KeyboardInterrupt

        words["checkpoint"] = tmp_path / "training.ckpt"
        with pytest.raises(KeyboardInterrupt):
            train(on_epoch=interrupt, **words)
        resumed, history = train(resume=True, **words)
        assert history.resumed_after == 2
        assert_same_bits(whole, resumed)

    @pytest.mark.parametrize("loss", ["crossentropy", "focal"])
    def test_smoothed_and_focal_losses_are_those_of_keras(self, loss: str) -> None:
        import keras

        values = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], np.float32)
        targets = np.array([0, 2])
        kind = "CategoricalFocalCrossentropy" if loss == "focal" else "CategoricalCrossentropy"
        wanted = getattr(keras.losses, kind)(label_smoothing=0.2, reduction="none")(
            np.eye(3)[targets], values
        )
        found = build_loss(loss, 3, 0.2)(targets, values)
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-6)

    @pytest.mark.parametrize(
        ("block", "message"),
        [
            ({"cosine": {}, "plateau": {"patience": 1, "factor": 0.1}}, "cosine and plateau are set"),
            ({"cosine": {"warmup": 3}}, "cosine.warmup is 3, expected fewer than the 3 epochs"),
        ],
    )
    def test_two_that_decide_the_rate_are_refused(self, block: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Recipe.model_validate({"epochs": 3, **block})

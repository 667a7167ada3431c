"""Trains with JAX in a process of its own that cannot import TensorFlow; `test_jax_engine.py` runs it and looks.

The folder that it is given holds `given.npz` (images, rows, first weights) and gets `found.npz` and `notes.json`.
"""

from __future__ import annotations

import importlib.abc
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np


class NoTensorFlow(importlib.abc.MetaPathFinder):
    """Has TensorFlow look as if it were not installed, and counts who asks for it."""

    asked = 0

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname.partition(".")[0] == "tensorflow":
            self.asked += 1
            raise ModuleNotFoundError(fullname)


BENT = {"rotation": 10, "shear": 5, "zoom": (0.9, 1.1), "flip_horizontal": True}
SAME = {
    "epochs": 3,
    "batch_size": 16,
    "network": {"name": "tiny_body"},
    "scale": "backbone",
    "augmentation": BENT,
    "class_weights": "balanced",
}
RESUMED = {
    "epochs": 4,
    "patience": 4,
    "batch_size": 16,
    "network": {"name": "tiny_body"},
    "phases": {"head_epochs": 2, "fine_rate": 1e-3},
}


def register_tiny_networks() -> None:
    from mammoscan.models import architectures, backbones

    tiny = runpy.run_path(str(Path(__file__).parents[1] / "tiny_trainings.py"))
    published = backbones.Published("tiny.h5", "https://example.org/tiny.h5")
    architectures._NETWORKS["tiny_body"] = backbones.Backbone(
        tiny["build_tiny_body"], tiny["build_tiny_head"], "tf", lambda height, width: published
    )
    backbones.MIN_SIDE = 8


def main(folder: Path, blocked: NoTensorFlow) -> None:
    from mammoscan.errors import MammoscanError
    from mammoscan.inference.predict import predict_probabilities
    from mammoscan.params import MachineParams, Recipe, ViewParams
    from mammoscan.training import checkpoints
    from mammoscan.training.devices import choose_device
    from mammoscan.training.engines import compiled, jax
    from mammoscan.training.setup import TrainingData, TrainingSetup
    from mammoscan.training.train import TrainingOptions, train_network

    register_tiny_networks()
    with np.load(folder / "given.npz") as file:
        given = dict(file)
    first = [given[f"first_{i}"] for i in range(sum(name.startswith("first_") for name in given))]
    notes: dict[str, Any] = {}
    found: dict[str, Any] = {}

    def train(words: dict[str, Any], **more: Any) -> Any:
        return train_network(
            TrainingData(given["pixels"], given["targets"], given["training"], given["validation"], 2),
            recipe=Recipe(**words),
            machine=MachineParams(device="cpu", resume=more.pop("resume", False)),
            views=ViewParams(training="random"),
            options=TrainingOptions(**more),
        )

    def keep(name: str, model: Any) -> None:
        found.update({f"{name}_{i}": value for i, value in enumerate(model.get_weights())})

    checkpoints._MIN_SECONDS, checkpoints._SHARE = 0.0, 1e9
    words = {"checkpoint": folder / "training.ckpt"}
    keep("whole", train(RESUMED)[0])

    def interrupt(row: Any) -> None:
        if row.epoch == 4:
            raise KeyboardInterrupt

    try:
        train(RESUMED, on_epoch=interrupt, **words)
    except KeyboardInterrupt:
        resumed, history = train(RESUMED, resume=True, **words)
        keep("resumed", resumed)
        notes["resumed_after"] = history.resumed_after

    import keras

    keras.layers.Dropout.call = lambda self, inputs, training=False: inputs
    build = TrainingSetup.build_model

    def build_given(self: TrainingSetup, weights: str | None = None) -> Any:
        model = build(self, weights)
        model.set_weights(first)
        return model

    TrainingSetup.build_model = build_given
    for name, scanned in (("stepped", ()), ("scanned", ("cpu",))):
        compiled._idle.clear()
        jax.SCANNED = scanned
        model, history = train(SAME)
        notes[name] = history.model_dump()
        keep(name, model)
    # Keras itself looks for TensorFlow when it writes down a model, which a prediction has it do.
    notes["asked_in_training"] = blocked.asked
    found["probabilities"] = predict_probabilities(
        model,
        given["pixels"],
        given["test"],
        recipe=Recipe(**{**SAME, "prediction_draws": 2}),
        views=ViewParams(prediction=True),
        machine=MachineParams(device="cpu"),
        batch_size=20,
    )
    try:
        train({**SAME, "optimizer": "sgd", "learning_rate": 1e30})
    except MammoscanError as error:
        notes["broken"] = str(error)
    try:
        choose_device(MachineParams(device="gpu"))
    except MammoscanError as error:
        notes["no_gpu"] = str(error)
    notes["tensorflow"] = "tensorflow" in sys.modules
    np.savez(folder / "found.npz", **found)
    (folder / "notes.json").write_text(json.dumps(notes))


if __name__ == "__main__":
    assert os.environ["KERAS_BACKEND"] == "jax"
    import mammoscan.log_setup  # noqa: F401 - puts a finder of its own first

    blocker = NoTensorFlow()
    sys.meta_path.insert(0, blocker)
    main(Path(sys.argv[1]), blocker)

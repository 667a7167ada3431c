"""The code that MLflow runs when it loads a packaged model: its file is the model's own "models from code" script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from mammoscan.learning.models import load_model
from mammoscan.learning.predict import predict_probabilities
from mammoscan.studies import MachineParams, Recipe, ViewParams


class PackagedClassifier(mlflow.pyfunc.PythonModel):
    """Images in; label, probabilities and threshold out. It carries its own preprocessing."""

    def load_context(self, context: Any) -> None:
        """Read the network and the card that lies beside it."""
        self._model = load_model(Path(context.artifacts["network"]))
        self._card = json.loads(Path(context.artifacts["card"]).read_text())

    # MLflow would take a type hint of `model_input` for a schema of its own; the signature says what it is.
    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Classify images.

        Args:
            context: MLflow's, not used after loading.
            model_input: uint8 ``[N, H, W, C]``, cut and standardised as the card's ``input`` says.
            params: None are known.

        Returns:
            A row an image: ``label``, one ``p_<label>`` each, and ``threshold`` where there are two labels.
        """
        del context, params
        pixels = np.asarray(model_input, dtype=np.uint8)
        probabilities = predict_probabilities(
            self._model,
            pixels,
            np.arange(len(pixels)),
            recipe=Recipe(**self._card["training"]),
            views=ViewParams(**self._card["views"]),
            machine=MachineParams(),
        )
        labels, positive = self._card["labels"], self._card["positive"]
        table = pd.DataFrame(probabilities.astype(float), columns=[f"p_{label}" for label in labels])
        if len(labels) == 2:
            said = table[f"p_{positive}"] >= self._card["threshold"]
            other = next(label for label in labels if label != positive)
            table.insert(0, "label", np.where(said, positive, other))
            table["threshold"] = self._card["threshold"]
        else:
            table.insert(0, "label", [labels[index] for index in probabilities.argmax(axis=1)])
        return table


mlflow.models.set_model(PackagedClassifier())

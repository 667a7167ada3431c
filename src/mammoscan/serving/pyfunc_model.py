"""The code that MLflow runs when it loads a packaged model: its file is the model's own "models from code" script."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from mammoscan.errors import MammoscanError
from mammoscan.serving.batch import classify_prepared, prepare_files
from mammoscan.serving.classifier import Classifier
from mammoscan.serving.decode_pool import DecodePool
from mammoscan.serving.model_files import CARD


class PackagedClassifier(mlflow.pyfunc.PythonModel):
    """Images in; label, probabilities, threshold and warnings out. It carries its own preprocessing."""

    def load_context(self, context: Any) -> None:
        """Load the network and what lies beside it."""
        self.classifier = Classifier.load(Path(context.artifacts[CARD]).parent)
        self.decoders: DecodePool | None = None

    # MLflow would take a type hint of `model_input` for a schema of its own.
    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Classify images.

        Args:
            context: MLflow's, not used after loading.
            model_input: Whole numbers 0 to 255 of shape ``[N, H, W, C]``, cut and standardised as the card's
                ``input`` says; or a table with a column ``image`` that holds the bytes of image files, in JSON as
                base64, and optionally a column ``file`` with their names.
            params: None are known.

        Returns:
            One row per image: ``label``, one ``p_<label>`` each, ``threshold`` where there are two labels,
            ``warnings`` (a list) and ``error`` (None, or why a file could not be used).
        """
        del context, params
        if isinstance(model_input, dict):
            model_input = pd.DataFrame({key: list(values) for key, values in model_input.items()})
        if not isinstance(model_input, pd.DataFrame):
            return self.classifier.classify(read_pixels(model_input)).assign(error=None)
        if "image" not in model_input.columns:
            raise MammoscanError(
                f"input: found the columns {list(model_input.columns)}, expected a column image with image files"
            )
        names = model_input["file"] if "file" in model_input.columns else range(len(model_input))
        files = [
            (str(name), _decode(str(name), image))
            for name, image in zip(names, model_input["image"], strict=True)
        ]
        self.decoders = self.decoders or DecodePool(self.classifier.card.takes)
        return classify_prepared(self.classifier, prepare_files(self.decoders, files))


def read_pixels(values: Any) -> np.ndarray:
    """Return uint8 of whole numbers that came as an array or as nested lists; any other value is refused."""
    array = np.asarray(values)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise MammoscanError(
            f"images: found {array.dtype} of shape {array.shape}, expected numbers [N, H, W, C]"
        )
    if array.min() < 0 or array.max() > 255 or (array != np.rint(array)).any():
        raise MammoscanError(
            f"images: found values from {array.min()} to {array.max()}, expected whole numbers 0 to 255"
        )
    return array.astype(np.uint8)


def _decode(name: str, image: Any) -> bytes | MammoscanError:
    if isinstance(image, bytes | bytearray):
        return bytes(image)
    try:
        return base64.b64decode(str(image), validate=True)
    except (binascii.Error, ValueError):
        return MammoscanError(f"{name}: its content is neither bytes nor base64")


mlflow.models.set_model(PackagedClassifier())

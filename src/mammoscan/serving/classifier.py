"""A trained model with its preprocessing, labels, threshold and card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.calibration import apply_temperature
from mammoscan.evaluation.number_metrics import decide_levels
from mammoscan.evaluation.out_of_distribution import FEATURES, LEVELS, describe_levels, measure_distance
from mammoscan.inference.embeddings import build_extractor, compute_embeddings
from mammoscan.inference.onnx import OnnxNetwork
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.preprocessing import choose_scale, scale_pixels
from mammoscan.models.registry import load_model
from mammoscan.params import MachineParams, Recipe
from mammoscan.records.card import Card, CardTarget
from mammoscan.serving.manifest import check_manifest
from mammoscan.serving.model_files import NETWORK, ONNX, OUT_OF_DISTRIBUTION, find_files, read_card
from mammoscan.serving.prepare_input import PreparedImage, prepare_image

OUT_OF_DISTRIBUTION_WARNING = "this does not look like what the model was trained on"


class OutOfDistributionCheck:
    """Warns of images that lie farther from the training images than nearly all of those do."""

    def __init__(self, network: Any, reference: Mapping[str, Any], recipe: Recipe) -> None:
        """Take a network and what ``fit_out_of_distribution`` fitted to its training images."""
        self._extractor = build_extractor(network)
        self._reference = reference
        self._recipe = recipe

    def warn(self, pixels: NDArray[np.uint8]) -> list[list[str]]:
        """Return a list of warnings for each image, empty or of one sentence.

        Args:
            pixels: uint8 ``[N, H, W, C]``.
        """
        if len(pixels) == 0:
            return []
        features = compute_embeddings(self._extractor, pixels, np.arange(len(pixels)), self._recipe)
        far = {
            LEVELS: measure_distance(describe_levels(pixels), self._reference["levels"])
            > self._reference["levels"]["limit"],
            FEATURES: measure_distance(features, self._reference["features"])
            > self._reference["features"]["limit"],
        }
        return [
            [f"{OUT_OF_DISTRIBUTION_WARNING}: {' and '.join(why)}"]
            if (why := [name for name, found in far.items() if found[row]])
            else []
            for row in range(len(pixels))
        ]


Runtime = Literal["keras", "onnx"]


class Classifier:
    """A network with all that belongs to it: how pictures are made ready, its labels, its threshold, its card.

    Attributes:
        card: What an answer needs, and what must be known of it.
        network: The Keras model: scaled images in, probabilities out, not calibrated.
    """

    def __init__(self, network: Any, card: Card, reference: dict[str, Any] | None = None) -> None:
        """Take a network, its card, and what its training images look like where that is known."""
        self.network = network
        self.card = card
        self._out_of_distribution = (
            OutOfDistributionCheck(network, reference, card.training) if reference else None
        )
        self._recipe = card.training
        self._views = card.views
        self._onnx: OnnxNetwork | None = None

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "keras") -> Classifier:
        """Load a model from its folder.

        Args:
            folder: Holds ``network.keras`` and ``card.json``, in itself or in ``artifacts`` as an MLflow model does;
                with an ``out_of_distribution.json`` beside them, images out of distribution are flagged.
            runtime: What computes.
        """
        inside = find_files(folder)
        check_manifest(inside)
        reference = inside / OUT_OF_DISTRIBUTION
        found = cls(
            _load_network(inside / NETWORK),
            read_card(inside),
            _load_reference(reference) if reference.is_file() else None,
        )
        if runtime == "onnx":
            found.use_onnx(inside / ONNX)
        return found

    def use_onnx(self, file: Path) -> None:
        """Have ONNX Runtime compute probabilities; explanations and the out-of-distribution check stay with Keras."""
        if self.card.target is not None:
            raise MammoscanError(
                f"runtime onnx: the model of {self.card.study} predicts {self.card.target.quantity}, and only models "
                "of labels can be exported; use the runtime keras"
            )
        if not file.is_file():
            raise MammoscanError(
                f"runtime onnx: there is no {file}, expected the exported model; write it with kedro run --pipeline "
                f"export --params export.study={self.card.study},export.model=<the same model>"
            )
        self._onnx = OnnxNetwork(file)

    @property
    def runtime(self) -> Runtime:
        """What computes probabilities."""
        return "keras" if self._onnx is None else "onnx"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the network takes."""
        return self.card.shape

    def prepare(self, content: bytes, name: str = "image") -> PreparedImage:
        """Decode an image file that you trust, in this process; see ``DecodePool`` for all others."""
        return prepare_image(content, name, self.card.takes)

    def scale(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn uint8 ``[N, H, W, C]`` into the float32 that the network takes."""
        return scale_pixels(pixels, choose_scale(self._recipe))

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return calibrated probabilities ``[N, labels]``, or numbers ``[N, 1]``, of uint8 ``[N, H, W, C]``."""
        pixels = self._check(pixels)
        if self._onnx is not None:
            probabilities = self._onnx.predict(pixels, recipe=self._recipe, views=self._views)
        else:
            probabilities = predict_probabilities(
                self.network,
                pixels,
                np.arange(len(pixels)),
                recipe=self._recipe,
                views=self._views,
                machine=MachineParams(),
            )
        if self.card.target is not None:
            return probabilities
        return apply_temperature(probabilities, self.card.temperature)

    def classify(self, pixels: NDArray[np.uint8]) -> pd.DataFrame:
        """Classify images.

        Args:
            pixels: uint8 ``[N, H, W, C]``, ``pixels`` of what ``prepare`` returns.

        Returns:
            One row per image: ``label``; ``p_<label>`` each, calibrated; ``threshold`` where there are two labels;
            ``warnings``, a list of sentences. Of a model that predicts a number or a level: ``label`` (the level, or
            the number with its unit), ``value``, and ``low`` and ``high``, the range of the true one.
        """
        probabilities = self.predict(pixels)
        if self.card.target is not None:
            return self._add_warnings(_tabulate_numbers(probabilities[:, 0], self.card.target), pixels)
        labels, positive = self.card.labels, self.card.positive
        table = pd.DataFrame(probabilities.astype(float), columns=[f"p_{label}" for label in labels])
        if self.card.is_binary:
            is_positive = table[f"p_{positive}"] >= self.card.threshold
            table.insert(0, "label", np.where(is_positive, positive, self.card.other))
            table["threshold"] = self.card.threshold
        else:
            table.insert(0, "label", [labels[index] for index in probabilities.argmax(axis=1)])
        return self._add_warnings(table, pixels)

    def _add_warnings(self, table: pd.DataFrame, pixels: NDArray[np.uint8]) -> pd.DataFrame:
        warnings = (
            self._out_of_distribution.warn(pixels)
            if self._out_of_distribution
            else [[] for _ in range(len(table))]
        )
        table["warnings"] = pd.Series(warnings, dtype=object, index=table.index)
        return table

    def explain(self, pixels_one: NDArray[np.uint8], label: str | None = None) -> NDArray[np.float32]:
        """Return where in an image a label's probability comes from, over all views where an answer is their mean.

        Args:
            pixels_one: uint8 ``[H, W, C]`` or ``[1, H, W, C]``.
            label: The label that is explained; None means the one that the image is given.

        Returns:
            float32 ``[H, W]`` in 0 to 1.
        """
        from mammoscan.inference.gradcam import explain_images

        pixels = self._check(pixels_one[None] if pixels_one.ndim == 3 else pixels_one)
        if self.card.target is not None:
            raise MammoscanError(
                f"explain: the model of {self.card.study} predicts {self.card.target.quantity}, and only answers that "
                "are labels can be explained"
            )
        label = label or str(self.classify(pixels)["label"].iloc[0])
        if label not in self.card.labels:
            raise MammoscanError(f"explain: found label {label!r}, expected one of {list(self.card.labels)}")
        return explain_images(
            self.network,
            pixels,
            [self.card.labels.index(label)],
            scale=choose_scale(self._recipe),
            views=self._views.prediction,
        )[0]

    def _check(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != self.shape:
            raise MammoscanError(
                f"images: found {pixels.dtype} of shape {list(pixels.shape)}, "
                f"expected uint8 of shape [N, {', '.join(map(str, self.shape))}]"
            )
        return pixels


def _tabulate_numbers(found: NDArray[np.float32], target: CardTarget) -> pd.DataFrame:
    values = found.astype(float)
    if target.levels:
        names = [target.levels[int(place)] for place in decide_levels(values, len(target.levels))]
    else:
        names = [f"{value:.{target.digits}f} {target.measured_in}".strip() for value in values]
    return pd.DataFrame(
        {
            "label": pd.Series(names, dtype=object),
            "value": values,
            "low": values + target.error_low,
            "high": values + target.error_high,
        }
    )


def _load_network(file: Path) -> Any:
    try:
        return load_model(file)
    except MammoscanError:
        raise
    # A damaged file makes Keras, h5py and zipfile raise nearly anything.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MammoscanError(f"{file} is no Keras model that can be read: {reason}; get it again") from error


def _load_reference(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise MammoscanError(f"{file} cannot be read: {error}; get the model again") from error

"""A packaged model's network as ONNX, beside the Keras file, once both have given the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.inference.onnx import OnnxNetwork, export_onnx
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.registry import load_model
from mammoscan.params import MachineParams
from mammoscan.serving.manifest import check_manifest, write_manifest
from mammoscan.serving.model_files import NETWORK, ONNX, read_card

MAX_DIFFERENCE = 1e-4


def export_model(folder: Path, pixels: NDArray[np.uint8], images: int) -> dict[str, Any]:
    """Write ``network.onnx`` into a model's folder; it stays there only if it answers as ``network.keras``.

    Args:
        folder: Holds ``network.keras`` and ``card.json``.
        pixels: The study's images, uint8 ``[N, H, W, C]``.
        images: On how many of them the two are compared, spread evenly over all.

    Returns:
        ``file``, ``bytes``, ``keras_bytes``, ``images``, ``largest_difference`` and ``mean_difference`` of the
        probabilities, and ``allowed``.

    Raises:
        MammoscanError: If any probability differs by more than ``MAX_DIFFERENCE``.
    """
    check_manifest(folder)
    card = read_card(folder)
    if card.target is not None:
        raise MammoscanError(
            f"export: the model of {card.study} predicts {card.target.quantity}, expected one of labels: only these "
            "can be exported"
        )
    if pixels.shape[1:] != card.shape:
        raise MammoscanError(
            f"export: the study's images are {list(pixels.shape[1:])}, the model takes {list(card.shape)}; "
            "name a model of the present images, or run the study again"
        )
    recipe, views = card.training, card.views
    model = load_model(folder / NETWORK)
    rows = np.unique(np.linspace(0, len(pixels) - 1, min(images, len(pixels))).astype(int))
    chosen = np.ascontiguousarray(pixels[rows])
    part = folder / f".{ONNX}.part.onnx"
    try:
        export_onnx(model, part)
        found = OnnxNetwork(part).predict(chosen, recipe=recipe, views=views)
        expected = predict_probabilities(
            model, chosen, np.arange(len(chosen)), recipe=recipe, views=views, machine=MachineParams()
        )
        difference = np.abs(found - expected)
        if not difference.max() <= MAX_DIFFERENCE:
            raise MammoscanError(
                f"export: ONNX and Keras differ by up to {difference.max():.2g} on {len(chosen)} images, expected at "
                f"most {MAX_DIFFERENCE:g}; the ONNX file was not kept"
            )
        part.replace(folder / ONNX)
        write_manifest(folder)
    finally:
        part.unlink(missing_ok=True)
    return {
        "file": str(folder / ONNX),
        "bytes": (folder / ONNX).stat().st_size,
        "keras_bytes": (folder / NETWORK).stat().st_size,
        "images": len(chosen),
        "largest_difference": float(difference.max()),
        "mean_difference": float(difference.mean()),
        "allowed": MAX_DIFFERENCE,
    }

"""A network as ONNX: exporting it, and predicting with it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.models.preprocessing import choose_scale, scale_pixels
from mammoscan.params import Recipe, ViewParams
from mammoscan.training.augmentation import tabulate_views
from mammoscan.training.pixel_blocks import read_rows

if TYPE_CHECKING:
    import keras


_BATCH_PIXELS = 2**20
_INSTALL = 'install the extra: pip install -e ".[onnx]"'


def export_onnx(model: keras.Model, path: Path) -> None:
    """Write a network as ONNX, for any number of images.

    Args:
        model: Scaled images in, probabilities out.
        path: The file, ``.onnx``.
    """
    try:
        import onnx  # noqa: F401  keras would say something else
    except ImportError as error:
        raise MammoscanError(f"export: the package onnx is missing; {_INSTALL}") from error
    # Keras traces what was called before, and takes that call's shapes.
    model(np.zeros((1, *model.input_shape[1:]), np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(str(path), format="onnx", verbose=False)


class OnnxNetwork:
    """A network that ONNX Runtime computes, with the answers of ``predict_probabilities``."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Load the file.

        Args:
            path: The ``.onnx`` file.
            threads: Cores for one prediction; 0 leaves it to the runtime.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise MammoscanError(f"runtime onnx: the package onnxruntime is missing; {_INSTALL}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        outputs = int(self._session.get_outputs()[0].shape[-1])
        # One output is the positive label's probability.
        self.is_single = outputs == 1
        self._outputs = max(2, outputs)
        self._input = self._session.get_inputs()[0].name

    def predict(self, pixels: NDArray[np.uint8], *, recipe: Recipe, views: ViewParams) -> NDArray[np.float32]:
        """Predict the probabilities of the labels.

        Args:
            pixels: uint8 ``[N, H, W, C]``.
            recipe: Its ``scale`` is how the network's images were scaled.
            views: ``prediction`` averages over the eight views.

        Returns:
            float32 ``[N, labels]``; the two columns of a single output are expanded.
        """
        if recipe.prediction_draws:
            raise MammoscanError(
                f"runtime onnx: the recipe averages {recipe.prediction_draws} augmented images, which only Keras does "
                "here; use the runtime keras"
            )
        shape = pixels.shape[1:]
        tables = tabulate_views(shape[0], shape[1]) if views.prediction else [None]
        size = max(1, min(256, _BATCH_PIXELS // int(np.prod(shape))))
        scale = choose_scale(recipe)
        parts = []
        for first in range(0, len(pixels), size):
            scaled = scale_pixels(read_rows(pixels, np.arange(first, min(first + size, len(pixels)))), scale)
            flat = scaled.reshape(len(scaled), -1, shape[2])
            shown = [scaled if table is None else flat[:, table].reshape(scaled.shape) for table in tables]
            parts.append(np.mean([self._run(view) for view in shown], axis=0, dtype=np.float32))
        return np.concatenate(parts) if parts else np.empty((0, self._outputs), np.float32)

    def _run(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        (found,) = self._session.run(None, {self._input: np.ascontiguousarray(scaled)})
        return np.concatenate([1 - found, found], axis=1) if self.is_single else found

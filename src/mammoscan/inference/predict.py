"""Predicting some rows of the packed images with a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mammoscan.inference.forward_pass import ForwardOptions, compile_forward_pass
from mammoscan.models.outputs import count_answers
from mammoscan.models.preprocessing import choose_scale
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.augmentation import draw_prediction_warps, read_augmentation, tabulate_views
from mammoscan.training.devices import choose_device
from mammoscan.training.pixel_blocks import read_rows

if TYPE_CHECKING:
    import keras


# Maps of a batch must stay within some hundred megabytes, whatever the size of an image.
_BATCH_PIXELS = 2**22


def predict_probabilities(
    model: keras.Model,
    pixels: NDArray,
    rows: NDArray[np.integer],
    *,
    recipe: Recipe,
    views: ViewParams,
    machine: MachineParams,
    batch_size: int = 256,
) -> NDArray[np.float32]:
    """Predict the probabilities of the labels, or a number, or the probabilities of findings.

    Args:
        model: Scaled images in, probabilities out; or the head of a network with a backbone, and features in.
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; read batch by batch. float32 ``[N, D]`` are features.
        rows: Positions in ``pixels``.
        recipe: Its ``scale`` is how the model's images were scaled; its ``prediction_draws`` are averaged.
        views: ``prediction`` averages the probabilities of an image's eight views.
        machine: On what it is computed.
        batch_size: Images at a time, at most; memory grows with it.

    Returns:
        float32 ``[len(rows), labels]``; a lone sigmoid output becomes the two labels' probabilities,
        a number stays alone.
    """
    rows = np.asarray(rows, dtype=np.int64).reshape(-1)
    shape = pixels.shape[1:]
    place = choose_device(machine).place
    if len(shape) == 1:
        forward = compile_forward_pass(model, ForwardOptions(None), place)
    else:
        forward = compile_forward_pass(
            model,
            ForwardOptions(
                choose_scale(recipe),
                views.prediction,
                read_augmentation(recipe.augmentation) if recipe.prediction_draws else None,
            ),
            place,
            tabulate_views(*shape[:2]) if views.prediction else None,
            draw_prediction_warps(recipe.augmentation, recipe.seed, recipe.prediction_draws, *shape[:2]),
        )
    size = choose_batch(shape, batch_size)
    found = np.empty((len(rows), count_answers(model)), np.float32)
    for first in range(0, len(rows), size):
        found[first : first + size] = forward(read_rows(pixels, rows[first : first + size]))
    return found


def choose_batch(shape: tuple[int, ...], wanted: int) -> int:
    """Return how many images of a shape are shown at a time."""
    return max(1, min(wanted, _BATCH_PIXELS // int(np.prod(shape))))

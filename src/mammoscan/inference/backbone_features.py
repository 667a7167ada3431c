"""A frozen backbone: its features are computed once, the head learns from them, and both become one model again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.inference.forward_pass import ForwardOptions, ForwardPass, compile_forward_pass
from mammoscan.inference.predict import choose_batch
from mammoscan.models.architectures import find_backbone
from mammoscan.models.backbones import cut_backbone, cut_head, list_head
from mammoscan.models.outputs import Task
from mammoscan.models.preprocessing import Scale, choose_scale
from mammoscan.models.registry import build_network
from mammoscan.params import MachineParams, Recipe, ViewParams
from mammoscan.training.devices import choose_device, make_deterministic
from mammoscan.training.pixel_blocks import read_rows

if TYPE_CHECKING:
    import keras


__all__ = ["check_features", "compose_model", "compute_features", "count_backbone", "cut_head", "is_head"]

_BATCH = 64


class _Open(NamedTuple):
    """A backbone's compiled forward pass."""

    forward: ForwardPass
    width: int
    parameters: int


def check_features(recipe: Recipe, views: ViewParams) -> None:
    """Refuse what cannot be had from features: they are computed once, of each image as it is."""
    find_backbone(recipe.network.name, "freeze")
    for key, wrong, right in (("training", "random", "none"), ("prediction", True, False)):
        if getattr(views, key) == wrong:
            raise MammoscanError(
                f"views.{key} is {wrong!r} and training.freeze is true, expected {right!r}: features are computed "
                f"once, of each image as it is; set views.{key} to {str(right).lower()}, or training.freeze to false"
            )


def compute_features(
    pixels: NDArray[np.uint8],
    recipe: Recipe,
    machine: MachineParams,
    used: NDArray[np.integer] | None = None,
) -> tuple[int, Iterator[NDArray[np.float32]]]:
    """Compute what a recipe's backbone makes of every image, batch by batch.

    Args:
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped.
        recipe: Its network, weights, seed and scale.
        machine: On what it is computed.
        used: The rows to compute, all others are zero; None means all.

    Returns:
        The number of features, and their float32 blocks ``[n, D]`` in the images' order, computed as they are read.
    """
    if machine.deterministic:
        make_deterministic()
    opened = _open_backbone(recipe, pixels.shape[1:], machine)
    size = choose_batch(pixels.shape[1:], _BATCH)

    def run() -> Iterator[NDArray[np.float32]]:
        for first in range(0, len(pixels), size):
            rows = np.arange(first, min(first + size, len(pixels)))
            wanted = np.ones(len(rows), bool) if used is None else np.isin(rows, used)
            block = np.zeros((len(rows), opened.width), np.float32)
            if wanted.any():
                block[wanted] = opened.forward(read_rows(pixels, rows[wanted]))
            yield block

    return opened.width, run()


def count_backbone(recipe: Recipe, input_shape: tuple[int, ...], machine: MachineParams) -> int:
    """Return the number of parameters below the features."""
    return _open_backbone(recipe, input_shape, machine).parameters


def is_head(model: keras.Model) -> bool:
    """Tell whether a model takes features and not images."""
    return len(model.input_shape) == 2


def compose_model(
    head: keras.Model,
    recipe: Recipe,
    input_shape: tuple[int, ...],
    n_labels: int,
    machine: MachineParams,
    onto: keras.Model | None = None,
    task: Task = "classes",
) -> keras.Model:
    """Put a trained head on its backbone: image in, probabilities out.

    Args:
        head: What was trained on features.
        recipe: The one that it was trained by.
        input_shape: Height, width and channels of an image.
        n_labels: Number of labels.
        machine: Its precision.
        onto: What this function returned for another head of the same recipe; it is changed, and built no second time.
        task: What the head's outputs are.
    """
    whole = onto or _build_whole(recipe, input_shape, n_labels, machine.precision, task)
    for mine, trained in zip(
        (layer for layer in list_head(whole) if layer.weights),
        (layer for layer in head.layers if layer.weights),
        strict=True,
    ):
        mine.set_weights(trained.get_weights())
    return whole


def _build_whole(
    recipe: Recipe, input_shape: tuple[int, ...], n_labels: int, precision: str, task: Task
) -> keras.Model:
    network = recipe.network
    return build_network(
        network.name,
        input_shape,
        n_labels,
        recipe.seed,
        precision=precision,
        weights=network.weights,
        task=task,
    )


def _open_backbone(recipe: Recipe, input_shape: tuple[int, ...], machine: MachineParams) -> _Open:
    network = recipe.network
    file = Path(network.weights).expanduser()
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    return _open_cached(
        *(network.name, network.weights, changed, recipe.seed),
        *(input_shape, choose_scale(recipe), machine.precision, choose_device(machine).place),
    )


# Several nodes use the same backbone, and building a large one takes as long as computing hundreds of images.
@lru_cache(maxsize=1)
def _open_cached(
    name: str,
    weights: str,
    changed: int,
    seed: int,
    shape: tuple[int, ...],
    scale: Scale,
    precision: str,
    place: str,
) -> _Open:
    del changed
    backbone = cut_backbone(build_network(name, shape, 2, seed, precision=precision, weights=weights))
    forward = compile_forward_pass(backbone, ForwardOptions(scale), place)
    return _Open(forward, int(backbone.output_shape[-1]), int(backbone.count_params()))

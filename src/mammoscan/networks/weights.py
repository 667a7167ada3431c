"""The weights that a network begins with, where others have trained them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mammoscan.errors import MammoscanError
from mammoscan.networks.backbones import FEATURES, Published
from mammoscan.networks.table import find_backbone, find_network
from mammoscan.networks.weight_files import StoredWeights, read_weights
from mammoscan.studies import NetworkParams

if TYPE_CHECKING:
    import keras


def check_weights(network: NetworkParams, input_shape: tuple[int, ...]) -> Path | None:
    """Find the file of a network's first weights, and fetch it where it must be fetched; call it before any work.

    Args:
        network: Name and weights, as a recipe has them.
        input_shape: Height, width and whatever else of an image.

    Returns:
        The file; None where weights are drawn from the seed.
    """
    find_network(network.name)
    if network.weights == "none":
        return None
    if network.weights == "imagenet":
        return _fetch(find_backbone(network.name, "weights: imagenet").find_published(*input_shape[:2]))
    file = Path(network.weights).expanduser()
    if not file.is_file():
        raise MammoscanError(
            f"network.weights: found no file {file}, expected one; correct the path, or set network.weights to none"
        )
    return file


def place_weights(model: keras.Model, network: NetworkParams) -> None:
    """Give a fresh model the weights of its recipe; its head, or its last layer, keeps its own.

    Args:
        model: As it was built.
        network: Name and weights, as a recipe has them.
    """
    file = check_weights(network, tuple(model.input_shape[1:]))
    if file is None:
        return
    stored = read_weights(file)
    wanted = [layer for layer in _list_body(model) if layer.weights]
    for layer, found in zip(wanted, _match(wanted, stored, file, network.name), strict=True):
        layer.set_weights(found)


def fingerprint_weights(network: NetworkParams, input_shape: tuple[int, ...]) -> str:
    """Return the sum of the file of weights; ``none`` where there is none."""
    file = check_weights(network, input_shape)
    return "none" if file is None else hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _list_body(model: keras.Model) -> list[keras.layers.Layer]:
    names = [layer.name for layer in model.layers]
    end = names.index(FEATURES) if FEATURES in names else len(names) - 1
    return model.layers[:end]


def _match(wanted: list[keras.layers.Layer], stored: StoredWeights, file: Path, name: str) -> list[list]:
    missing = [layer.name for layer in wanted if layer.name not in stored.layers]
    if missing and stored.in_order and len(stored.layers) == len(wanted):
        # Files from before Keras 3 may name the layers otherwise; Keras itself goes by their order.
        found = list(stored.layers.values())
    elif missing:
        raise MammoscanError(
            f"network.weights: {file} does not fit {name}: it holds no layer {missing[0]} ({len(missing)} of "
            f"{len(wanted)} layers are missing); name a file that was saved from this architecture"
        )
    else:
        found = [stored.layers[layer.name] for layer in wanted]
    for layer, arrays in zip(wanted, found, strict=True):
        shapes = [tuple(array.shape) for array in arrays]
        expected = [tuple(weight.shape) for weight in layer.weights]
        if shapes != expected:
            raise MammoscanError(
                f"network.weights: {file} does not fit {name}: layer {layer.name} has shapes {shapes}, expected "
                f"{expected}; name a file that was saved from this architecture"
            )
    return found


def _fetch(published: Published) -> Path:
    import keras

    try:
        return Path(
            keras.utils.get_file(
                published.file, published.address, cache_subdir="models", file_hash=published.md5
            )
        )
    except Exception as error:
        raise MammoscanError(
            f"network.weights: imagenet is not at hand and could not be fetched from {published.address} "
            f"({str(error).splitlines()[0][:80]}); set network.weights to the path of that file fetched elsewhere, "
            "or to none, which trains from scratch"
        ) from error

"""The weights that a network begins with, where others have trained them.

Weights by the names of their layers, out of any file that Keras has written; no code in it is run.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.models.architectures import find_backbone, find_network
from mammoscan.models.backbones import FEATURES, Published
from mammoscan.params import NetworkParams

if TYPE_CHECKING:
    import h5py
    import keras


_MEMBER = "model.weights.h5"


@dataclass(frozen=True)
class StoredWeights:
    """What a file holds.

    Attributes:
        layers: The arrays of each layer that has any, in the layer's own order.
        in_order: Whether the layers stand in the order in which their model runs them.
    """

    layers: dict[str, list[NDArray[np.float32]]]
    in_order: bool


def read_weights(file: Path) -> StoredWeights:
    """Read a ``.keras``, a ``.weights.h5`` or an older ``.h5`` file, be it of a whole model or of weights alone."""
    import h5py

    try:
        source: Any = file
        if file.suffix == ".keras":
            with zipfile.ZipFile(file) as archive:
                source = io.BytesIO(archive.read(_MEMBER))
        with h5py.File(source, "r") as root:
            group = root.get("model_weights", root)
            old = "layer_names" in group.attrs
            return StoredWeights(_read_old(group) if old else _read_new(group), in_order=old)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise MammoscanError(
            f"network.weights: {file} could not be read ({str(error).splitlines()[0][:80]}), expected a .keras, "
            ".weights.h5 or .h5 file as Keras writes it"
        ) from error


def _read_new(root: h5py.Group) -> dict[str, list[NDArray]]:
    stored: dict[str, list[NDArray]] = {}

    def visit(path: str, item: Any) -> None:
        # The name that a layer had stands beside its arrays; the path only counts the layers of its kind.
        if path.endswith("/vars") and len(item):
            name = str(item.attrs.get("name", path.split("/")[-2]))
            stored[name] = [item[str(number)][()] for number in range(len(item))]

    root.visititems(visit)
    return stored


def _read_old(root: h5py.Group) -> dict[str, list[NDArray]]:
    stored: dict[str, list[NDArray]] = {}
    for layer in map(_to_text, root.attrs["layer_names"]):
        group = root[layer]
        for path in map(_to_text, group.attrs["weight_names"]):
            holder = path.rpartition("/")[0]
            # In a model within the model the path names the layer; the slashes of other names have gone since.
            own = holder in ("", layer) or holder.endswith(f"/{layer}")
            name = layer.replace("/", "_") if own else holder.rpartition("/")[2]
            stored.setdefault(name, []).append(group[path][()])
    return stored


def _to_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


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

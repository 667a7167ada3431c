"""Weights by the names of their layers, out of any file that Keras has written; no code in it is run."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError

if TYPE_CHECKING:
    import h5py

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

"""The networks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mammoscan.errors import MammoscanError
from mammoscan.models.backbones import Backbone
from mammoscan.models.chest_cnn import build_chest_cnn
from mammoscan.models.densenet201 import DENSENET201
from mammoscan.models.mobilenet_v2 import MOBILENET_V2
from mammoscan.models.resnet50 import RESNET50
from mammoscan.models.small_cnn import build_small_cnn
from mammoscan.models.wrn_16_4 import build_wrn_16_4

if TYPE_CHECKING:
    import keras


class Builder(Protocol):
    """What the file of a network without a backbone offers."""

    def __call__(
        self, input_shape: tuple[int, int, int], outputs: int, seed: int, policy: str = ...
    ) -> keras.Model:
        """Return the uncompiled model."""
        ...


_NETWORKS: dict[str, Builder | Backbone] = {
    "chest_cnn": build_chest_cnn,
    "densenet201": DENSENET201,
    "mobilenet_v2": MOBILENET_V2,
    "resnet50": RESNET50,
    "small_cnn": build_small_cnn,
    "wrn_16_4": build_wrn_16_4,
}


def list_networks() -> list[str]:
    """Return the names that a recipe may give, sorted."""
    return sorted(_NETWORKS)


def find_network(name: str) -> Builder | Backbone:
    """Return what a network's file offers."""
    if name not in _NETWORKS:
        raise MammoscanError(
            f"network: found {name!r}, expected one of {list_networks()}; correct the recipe"
        )
    return _NETWORKS[name]


def find_backbone(name: str, wanted_for: str) -> Backbone:
    """Return a network's backbone; a network that has none is refused.

    Args:
        name: The network's.
        wanted_for: The key of the recipe that needs it, for the message.
    """
    found = find_network(name)
    if not isinstance(found, Backbone):
        known = [name for name, network in _NETWORKS.items() if isinstance(network, Backbone)]
        raise MammoscanError(
            f"recipe: {wanted_for} needs a network with a pretrained backbone, found {name}, expected one of {known}; "
            f"change network.name, or {wanted_for}"
        )
    return found

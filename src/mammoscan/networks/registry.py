"""Networks by the name that a recipe gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mammoscan.errors import MammoscanError
from mammoscan.networks.small_cnn import build_small_cnn

if TYPE_CHECKING:
    import keras


class Builder(Protocol):
    """What a network's file offers."""

    def __call__(
        self, input_shape: tuple[int, int, int], outputs: int, seed: int, policy: str = ...
    ) -> keras.Model:
        """Return the uncompiled model."""
        ...


_NETWORKS: dict[str, Builder] = {"small_cnn": build_small_cnn}

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def list_networks() -> list[str]:
    """Return the names that a recipe may give, sorted."""
    return sorted(_NETWORKS)


def build_network(
    name: str, input_shape: tuple[int, int, int], outputs: int, seed: int, precision: str = "float32"
) -> keras.Model:
    """Build a network with seeded initial weights.

    Args:
        name: One of ``list_networks()``.
        input_shape: Height, width and channels of an image.
        outputs: Number of labels.
        seed: The same seed gives the same weights and the same dropout.
        precision: What the layers compute in, ``float32`` or ``bfloat16``; weights are float32 in both, and so
            is the last layer.

    Returns:
        The uncompiled model: scaled images in, probabilities of the labels out.
    """
    if name not in _NETWORKS:
        raise MammoscanError(
            f"network: found {name!r}, expected one of {list_networks()}; correct the recipe"
        )
    if precision not in _POLICIES:
        raise MammoscanError(f"precision: found {precision!r}, expected one of {sorted(_POLICIES)}")
    return _NETWORKS[name](input_shape, outputs, seed, _POLICIES[precision])

"""Seeds for the layers of one network, drawn from the recipe's single seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


class LayerSeeds:
    """Hands every layer a seed of its own, in the order in which layers ask.

    One shared seed would give layers of one shape equal weights; no seed would give other weights in every run.
    """

    def __init__(self, seed: int, *stream: int) -> None:
        """Take the recipe's seed, and numbers that tell apart the parts of a network which draw by themselves."""
        self._rng = np.random.default_rng([seed, *stream] if stream else seed)

    def draw_seed(self) -> int:
        """Return the next seed, as dropout layers take it."""
        return int(self._rng.integers(2**31))

    def draw_kernel(self) -> keras.initializers.Initializer:
        """Return the next seeded initialiser: Glorot uniform, which is Keras' default for kernels."""
        import keras

        return keras.initializers.GlorotUniform(seed=self.draw_seed())

    def draw_he_kernel(self) -> keras.initializers.Initializer:
        """Return the next seeded initialiser of He and others, for kernels before a ReLU."""
        import keras

        return keras.initializers.HeNormal(seed=self.draw_seed())

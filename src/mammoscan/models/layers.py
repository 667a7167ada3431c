"""What networks share: a seed for each layer, drawn from the recipe's single seed, and the output layer."""

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
        """Return the next seeded He initialiser, for kernels before a ReLU."""
        import keras

        return keras.initializers.HeNormal(seed=self.draw_seed())


def build_output_layer(
    outputs: int, seeds: LayerSeeds, *, single: bool = False, undecided: bool = False
) -> keras.layers.Layer:
    """Build the layer that gives probabilities; they stay float32 whatever the other layers compute in.

    Args:
        outputs: Number of labels.
        seeds: Decide its first weights.
        single: Whether two labels share one sigmoid output, the probability of the second; more labels always have a
            softmax.
        undecided: Whether it begins with equal probabilities for everything. On a backbone's many features random
            first weights give confident predictions, and few patients are not enough to unlearn them.
    """
    from keras import layers

    sigmoid = single and outputs == 2
    drawn = seeds.draw_kernel()
    return layers.Dense(
        1 if sigmoid else outputs,
        activation="sigmoid" if sigmoid else "softmax",
        kernel_initializer="zeros" if undecided else drawn,
        dtype="float32",
        name="probabilities",
    )

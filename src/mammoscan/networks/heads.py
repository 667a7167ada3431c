"""The last layer of a network: what answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mammoscan.networks.seeds import LayerSeeds

if TYPE_CHECKING:
    import keras


def build_answer(
    outputs: int, seeds: LayerSeeds, *, single: bool = False, undecided: bool = False
) -> keras.layers.Layer:
    """Build the layer that gives probabilities; they stay float32 whatever the other layers compute in.

    Args:
        outputs: Number of labels.
        seeds: Decide its first weights.
        single: Whether two labels share one sigmoid output, the probability of the second; more labels always have a
            softmax.
        undecided: Whether it begins with the same answer to everything. On a backbone's many features a drawn
            beginning says much, and few patients are not enough to unlearn it.
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

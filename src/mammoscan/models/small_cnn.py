"""The article's small network: 72,706 parameters for one 48x48 channel and two outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mammoscan.models.layers import LayerSeeds

if TYPE_CHECKING:
    import keras


def build_small_cnn(
    input_shape: tuple[int, int, int], outputs: int, seed: int, policy: str = "float32"
) -> keras.Model:
    """Build three convolutions, a dense layer on every place of their map, and a softmax over all of it.

    Args:
        input_shape: Height, width and channels of an image whose pixels were scaled already.
        outputs: Number of labels.
        seed: Decides the initial weights and the dropout.
        policy: Keras' dtype policy of all layers but the last, whose probabilities stay float32.

    Returns:
        The uncompiled model.
    """
    import keras
    from keras import layers

    seeds = LayerSeeds(seed)

    def convolve(name: str, filters: int) -> keras.layers.Layer:
        return layers.Conv2D(
            filters, 3, activation="relu", kernel_initializer=seeds.draw_kernel(), dtype=policy, name=name
        )

    # Every layer is named: automatic names count up within a process, and equal networks must look equal.
    return keras.Sequential(
        [
            layers.Input(input_shape, name="image"),
            convolve("conv_1", 32),
            convolve("conv_2", 64),
            layers.MaxPooling2D(dtype=policy, name="pool_1"),
            convolve("conv_3", 64),
            layers.MaxPooling2D(dtype=policy, name="pool_2"),
            layers.Dropout(0.25, seed=seeds.draw_seed(), dtype=policy, name="dropout_1"),
            layers.Dense(
                64, activation="relu", kernel_initializer=seeds.draw_kernel(), dtype=policy, name="dense_1"
            ),
            layers.Dropout(0.25, seed=seeds.draw_seed(), dtype=policy, name="dropout_2"),
            layers.Flatten(dtype=policy, name="flatten"),
            layers.Dense(
                outputs,
                activation="softmax",
                kernel_initializer=seeds.draw_kernel(),
                dtype="float32",
                name="probabilities",
            ),
        ],
        name="small_cnn",
    )

"""The chest X-ray article's network: 1,467,137 parameters for one 500x500 channel and two labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mammoscan.models.layers import LayerSeeds, build_output_layer

if TYPE_CHECKING:
    import keras


def build_chest_cnn(
    input_shape: tuple[int, int, int], outputs: int, seed: int, policy: str = "float32"
) -> keras.Model:
    """Build five convolutions, each with a pool that halves its map, two dense layers and one sigmoid.

    Args:
        input_shape: Height, width and channels of an image whose pixels were scaled already; 94 pixels at least.
        outputs: Number of labels; two share one sigmoid output.
        seed: Decides the initial weights.
        policy: Keras' dtype policy of all layers but the last, whose probabilities stay float32.

    Returns:
        The uncompiled model.
    """
    import keras
    from keras import layers

    seeds = LayerSeeds(seed)
    stack: list[keras.layers.Layer] = [layers.Input(input_shape, name="image")]
    for number, filters in enumerate((32, 32, 32, 64, 64), start=1):
        stack.append(
            layers.Conv2D(
                filters,
                3,
                activation="relu",
                kernel_initializer=seeds.draw_kernel(),
                dtype=policy,
                name=f"conv_{number}",
            )
        )
        stack.append(layers.MaxPooling2D(dtype=policy, name=f"pool_{number}"))
    stack.append(layers.Flatten(dtype=policy, name="flatten"))
    for number, units in enumerate((128, 64), start=1):
        stack.append(
            layers.Dense(
                units,
                activation="relu",
                kernel_initializer=seeds.draw_kernel(),
                dtype=policy,
                name=f"dense_{number}",
            )
        )
    return keras.Sequential([*stack, build_output_layer(outputs, seeds, single=True)], name="chest_cnn")

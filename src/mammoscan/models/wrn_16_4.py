"""Wide ResNet 16-4 (Zagoruyko and Komodakis, 2016): 16 layers, four times as wide as the plain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mammoscan.models.layers import LayerSeeds, build_output_layer

if TYPE_CHECKING:
    import keras


WIDENING = 4
BLOCKS = 2  # of two convolutions in each of the three groups: (16 - 4) / 6


def build_wrn_16_4(
    input_shape: tuple[int, int, int], outputs: int, seed: int, policy: str = "float32"
) -> keras.Model:
    """Build three groups of pre-activated residual blocks, a pool over all places, a small dense layer and an answer.

    Args:
        input_shape: Height, width and channels of an image whose pixels were scaled already.
        outputs: Number of labels; two share one sigmoid output.
        seed: Decides the initial weights.
        policy: Keras' dtype policy of all layers but the last, whose probabilities stay float32.

    Returns:
        The uncompiled model.
    """
    import keras
    from keras import layers

    seeds = LayerSeeds(seed)

    def convolve(x: Any, name: str, filters: int, size: int = 3, stride: int = 1) -> Any:
        return layers.Conv2D(
            filters,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=seeds.draw_he_kernel(),
            dtype=policy,
            name=name,
        )(x)

    def activate(x: Any, name: str) -> Any:
        # Keras' momentum of .99 would take hundreds of steps to forget the first images; this is the authors' own.
        x = layers.BatchNormalization(momentum=0.9, dtype=policy, name=f"{name}_norm")(x)
        return layers.ReLU(dtype=policy, name=f"{name}_relu")(x)

    image = layers.Input(input_shape, name="image")
    x = convolve(image, "conv", 16)
    for group, filters in enumerate((16 * WIDENING, 32 * WIDENING, 64 * WIDENING), start=1):
        for block in range(1, BLOCKS + 1):
            name = f"group_{group}_block_{block}"
            stride = 2 if group > 1 and block == 1 else 1
            seen = activate(x, f"{name}_1")
            # Where the shape changes, so must the shortcut.
            shortcut = convolve(seen, f"{name}_shortcut", filters, 1, stride) if block == 1 else x
            x = convolve(seen, f"{name}_conv_1", filters, 3, stride)
            x = convolve(activate(x, f"{name}_2"), f"{name}_conv_2", filters)
            x = layers.Add(dtype=policy, name=f"{name}_add")([x, shortcut])
    x = layers.GlobalAveragePooling2D(dtype=policy, name="features")(activate(x, "last"))
    x = layers.Dense(
        20, activation="relu", kernel_initializer=seeds.draw_he_kernel(), dtype=policy, name="dense_1"
    )(x)
    return keras.Model(image, build_output_layer(outputs, seeds, single=True)(x), name="wrn_16_4")

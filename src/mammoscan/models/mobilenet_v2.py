"""MobileNetV2 below a dropout and a softmax: the small backbone, for laptops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mammoscan.models.backbones import Backbone, Published
from mammoscan.models.layers import LayerSeeds, build_output_layer

if TYPE_CHECKING:
    import keras


# The sizes at which its authors trained it.
_SIDES = (96, 128, 160, 192, 224)


def _build(image: Any) -> keras.Model:
    import keras

    return keras.applications.MobileNetV2(
        input_shape=tuple(image.shape[1:]), include_top=False, weights=None, input_tensor=image
    )


def _build_head(outputs: int, seeds: LayerSeeds, policy: str) -> list[keras.layers.Layer]:
    from keras import layers

    return [
        layers.Dropout(0.2, seed=seeds.draw_seed(), dtype=policy, name="dropout"),
        build_output_layer(outputs, seeds, undecided=True),
    ]


def _find_published(height: int, width: int) -> Published:
    side = height if height == width and height in _SIDES else 224
    file = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{side}_no_top.h5"
    return Published(
        file, f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{file}"
    )


MOBILENET_V2 = Backbone(_build, _build_head, "tf", _find_published)

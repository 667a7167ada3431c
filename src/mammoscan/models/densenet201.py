"""DenseNet201 below a batch norm and a softmax: 18,333,506 parameters with two labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mammoscan.models.backbones import Backbone, Published
from mammoscan.models.layers import LayerSeeds, build_output_layer

if TYPE_CHECKING:
    import keras


_FILE = "densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5"


def _build(image: Any) -> keras.Model:
    import keras

    return keras.applications.DenseNet201(include_top=False, weights=None, input_tensor=image)


def _build_head(outputs: int, seeds: LayerSeeds, policy: str) -> list[keras.layers.Layer]:
    from keras import layers

    return [
        layers.Dropout(0.5, seed=seeds.draw_seed(), dtype=policy, name="dropout"),
        layers.BatchNormalization(dtype=policy, name="norm"),
        build_output_layer(outputs, seeds, undecided=True),
    ]


def _find_published(height: int, width: int) -> Published:
    del height, width
    folder = "https://storage.googleapis.com/tensorflow/keras-applications/densenet/"
    return Published(_FILE, folder + _FILE, "c13680b51ded0fb44dff2d8f86ac8bb1")


DENSENET201 = Backbone(_build, _build_head, "torch", _find_published)

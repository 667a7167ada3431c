"""ResNet50 below two dense layers and a softmax: 23,858,370 parameters with two labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mammoscan.models.backbones import Backbone, Published
from mammoscan.models.layers import LayerSeeds, build_output_layer

if TYPE_CHECKING:
    import keras


_FILE = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


def _build(image: Any) -> keras.Model:
    import keras

    return keras.applications.ResNet50(include_top=False, weights=None, input_tensor=image)


def _build_head(outputs: int, seeds: LayerSeeds, policy: str) -> list[keras.layers.Layer]:
    from keras import layers

    dense = [
        layers.Dense(
            units, activation="relu", kernel_initializer=seeds.draw_kernel(), dtype=policy, name=name
        )
        for units, name in ((128, "dense_1"), (64, "dense_2"))
    ]
    return [*dense, build_output_layer(outputs, seeds, undecided=True)]


def _find_published(height: int, width: int) -> Published:
    del height, width
    folder = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    return Published(_FILE, folder + _FILE, "4d473c1dd8becc155b73f8504c6f6626")


RESNET50 = Backbone(_build, _build_head, "caffe", _find_published)

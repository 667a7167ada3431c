"""Networks that stand on a backbone: a published architecture whose weights others have trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mammoscan.errors import MammoscanError
from mammoscan.models.layers import LayerSeeds

if TYPE_CHECKING:
    import keras


# The layer where a backbone ends: one number a channel of its last map. Layers behind it are the head.
FEATURES = "features"
MIN_SIDE = 32


@dataclass(frozen=True)
class Published:
    """A file of weights as its authors published it: its name, where it is, and its MD5 sum where Keras has one."""

    file: str
    address: str
    md5: str | None = None


@dataclass(frozen=True)
class Backbone:
    """What the file of such a network offers.

    Attributes:
        build: Takes the tensor of an image with three channels and returns the model without its own top.
        build_head: Takes the number of labels, seeds and a dtype policy and returns the layers behind the features.
        preprocessing: How its images are scaled; the names are those of Keras.
        find_published: Takes the height and width of an image and returns its weights from ImageNet.
    """

    build: Callable[[Any], keras.Model]
    build_head: Callable[[int, LayerSeeds, str], list[keras.layers.Layer]]
    preprocessing: Literal["caffe", "tf", "torch"]
    find_published: Callable[[int, int], Published]


def build_on_backbone(
    name: str, backbone: Backbone, input_shape: tuple[int, ...], outputs: int, seed: int, policy: str
) -> keras.Model:
    """Build backbone and head as one model, all layers side by side.

    Args:
        name: The network's.
        backbone: Its record.
        input_shape: Height, width and channels of an image; one channel is shown as three. Or the number of
            features alone: then the head is all there is.
        outputs: Number of labels.
        seed: Decides the initial weights and the dropout; the head's do not depend on the backbone's.
        policy: Keras' dtype policy of all layers but the last.

    Returns:
        The uncompiled model.
    """
    import keras
    from keras import layers

    head = backbone.build_head(outputs, LayerSeeds(seed), policy)
    if len(input_shape) == 1:
        return keras.Sequential([layers.Input(input_shape, name=FEATURES), *head], name=f"{name}_head")
    height, width, channels = input_shape
    if min(height, width) < MIN_SIDE or channels not in (1, 3):
        raise MammoscanError(
            f"network {name}: found images of {height} x {width} x {channels}, expected {MIN_SIDE} pixels at least "
            "and 1 or 3 channels; pack them larger or choose another network"
        )
    image = layers.Input(input_shape, name="image")
    with _use_policy(policy):
        seen = image if channels == 3 else layers.Concatenate(name="channels")([image] * 3)
        body = backbone.build(seen)
    _seed_kernels(body, LayerSeeds(seed, 1))
    x = layers.GlobalAveragePooling2D(dtype="float32", name=FEATURES)(body.output)
    for layer in head:
        x = layer(x)
    return keras.Model(image, x, name=name)


def cut_backbone(model: keras.Model) -> keras.Model:
    """Return the part of a model that turns scaled images into features; it shares the model's weights."""
    import keras

    return keras.Model(model.input, model.get_layer(FEATURES).output, name=f"{model.name}_backbone")


def cut_head(model: keras.Model) -> keras.Model:
    """Return the part of a model that turns features into probabilities; it shares the model's weights."""
    import keras

    width = int(model.get_layer(FEATURES).output.shape[-1])
    return keras.Sequential(
        [keras.layers.Input((width,), name=FEATURES), *list_head(model)], name=f"{model.name}_head"
    )


def list_head(model: keras.Model) -> list[keras.layers.Layer]:
    """List the layers behind the features."""
    names = [layer.name for layer in model.layers]
    return model.layers[names.index(FEATURES) + 1 :]


def set_frozen(model: keras.Model, frozen: bool) -> None:
    """Keep the backbone as it is, or let it learn too."""
    head = {id(layer) for layer in list_head(model)}
    for layer in model.layers:
        layer.trainable = not frozen or id(layer) in head


@contextmanager
def _use_policy(policy: str) -> Iterator[None]:
    """Have layers that cannot be told so compute in this policy, and leave none behind."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _seed_kernels(model: keras.Model, seeds: LayerSeeds) -> None:
    """He-initialise the kernels: with smaller ones hardly any signal reaches a deep backbone's end."""
    from keras import ops

    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        shape = tuple(kernel.shape)
        if type(layer).__name__ == "DepthwiseConv2D":
            # Each channel is seen by itself, so that its neighbours do not count as inputs.
            height, width, channels, copies = shape
            drawn = seeds.draw_he_kernel()((height, width, 1, channels * copies), kernel.dtype)
            kernel.assign(ops.reshape(drawn, shape))
        else:
            kernel.assign(seeds.draw_he_kernel()(shape, kernel.dtype))

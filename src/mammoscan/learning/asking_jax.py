"""A network as a function from stored images to numbers, under JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.learning.heads import expand_tensor
from mammoscan.learning.scaling import Scale, scale_tensor
from mammoscan.learning.warps import warp_tensor

if TYPE_CHECKING:
    import keras


def compile_view(model: keras.Model, scale: Scale | None) -> Callable[..., Any]:
    """Return the function that asks networks of one shape about one view of some images.

    It takes trainable and other variables, images, the view's look-up table or None, and one augmentation or None.
    """
    import jax
    import keras
    from jax import numpy as jnp

    # A copy of its own, or the first model would live as long as the function.
    skeleton = keras.models.clone_model(model)

    def ask(weights: Any, others: Any, images: Any, table: Any, warp: Any) -> Any:
        shown = images
        if table is not None:
            flat = images.reshape(len(images), -1, images.shape[-1])
            shown = jnp.take(flat, table, axis=1).reshape(images.shape)
        if warp is not None:
            # Keras' map under JAX wants one for each image.
            shown = warp_tensor(shown.astype("float32"), jnp.broadcast_to(warp, (len(images), len(warp))))
        scaled = shown if scale is None else scale_tensor(shown, scale)
        found, _ = skeleton.stateless_call(weights, others, scaled, training=False)
        return expand_tensor(found)

    return jax.jit(ask)


def bind_asking(
    ask: Callable[..., Any],
    model: keras.Model,
    device: Any,
    tables: NDArray[np.int32] | None,
    warps: NDArray[np.float32] | None,
) -> Callable[[NDArray], NDArray[np.float32]]:
    """Return what asks one model, averaged over its views and augmentations.

    Args:
        ask: What ``compile_view`` returned.
        model: Whose weights are taken, as they are now.
        device: Where it is computed.
        tables: The eight views as look-up tables, where they are wanted.
        warps: The drawn augmentations, where they are wanted.
    """
    import jax

    weights, others, views, bends = jax.device_put(
        (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
            [None] if tables is None else list(tables),
            [None] if warps is None else list(warps),
        ),
        device,
    )

    def run(images: NDArray) -> NDArray[np.float32]:
        # Powers of two, or every last batch of another size would be compiled anew.
        more = (1 << (len(images) - 1).bit_length()) - len(images)
        placed = jax.device_put(np.pad(images, [(0, more), *[(0, 0)] * (images.ndim - 1)]), device)
        # A loop of Python's: on a CPU, XLA computes convolutions within a loop of its own many times slower.
        total = sum(ask(weights, others, placed, view, bend) for view in views for bend in bends)
        return np.asarray(total / (len(views) * len(bends)))[: len(images)]

    return run

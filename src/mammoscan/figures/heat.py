"""Explanations as heat over an image."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mammoscan.figures.style import INK, SMALL_SIZE

COLOURS = "inferno"
# Of the heat, over a grey image: stained tissue's own pink would drown it.
STRENGTH = 0.6


def overlay_heat(image: NDArray[np.uint8], heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image in grey with heat laid over it, uint8 ``[H, W, 3]``.

    Args:
        image: ``[H, W]``, ``[H, W, 1]`` or ``[H, W, 3]``.
        heat: ``[H, W]``, 255 where most speaks for the answer.
    """
    planes = image[..., None] if image.ndim == 2 else image
    weights = np.array([1.0]) if planes.shape[-1] == 1 else np.array([0.299, 0.587, 0.114])
    grey = (planes @ weights)[..., None]
    colours = 255 * matplotlib.colormaps[COLOURS](heat / 255)[..., :3]
    return np.rint((1 - STRENGTH) * grey + STRENGTH * colours).astype(np.uint8)


def draw_scale(figure: Figure, left: float, bottom: float, width: float) -> None:
    """Draw the heat's scale, in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, 0.1 / up))
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), COLOURS), cax=axes, orientation="horizontal", ticks=[0, 0.5, 1]
    )
    bar.set_label("evidence for the answer (1: the image's strongest)", size=SMALL_SIZE - 1, color=INK)
    bar.ax.tick_params(labelsize=SMALL_SIZE - 1, length=2)
    bar.outline.set_visible(False)

"""Hand-made features of an image, for the baseline that a network has to beat."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

CHUNK_BYTES = 64 * 1024 * 1024
# Larger images are reduced by whole steps to about this side: fine enough for texture, and quick.
LARGEST_SIDE = 128
PERCENTILES = (5, 25, 50, 75, 95)
WINDOWS = (3, 7, 15)
RINGS = 4
BANDS = 6
# Of smaller images neither the middle nor a reduced copy says more.
MIN_SCALED_SIDE = 16


def describe_textures(pixels: np.ndarray, rows: np.ndarray, apart: bool = False) -> np.ndarray:
    """Describe images by intensity, gradients, local contrast, radial profile and spectrum, at three scales.

    Args:
        pixels: uint8 ``[N, H, W, C]``; read in chunks.
        rows: Positions of the images to describe.
        apart: Whether the channels are windows of different width around one place. Otherwise the scales are the
            image, its middle half and the image reduced to half its side.

    Returns:
        float64 ``[len(rows), features]``, finite.
    """
    size = int(np.prod(pixels.shape[1:])) * 8
    step = max(1, CHUNK_BYTES // size)
    parts = [
        _describe_chunk(np.asarray(pixels[rows[at : at + step]]), apart) for at in range(0, len(rows), step)
    ]
    return np.nan_to_num(np.concatenate(parts))


def _describe_chunk(images: np.ndarray, apart: bool) -> np.ndarray:
    values = images.astype(np.float32) / 255
    if apart:
        return np.hstack([_describe_scale(values[..., k : k + 1]) for k in range(values.shape[3])])
    parts = [_describe_scale(values)]
    height, width = values.shape[1:3]
    if min(height, width) >= MIN_SCALED_SIDE:
        middle = values[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
        parts += [_describe_scale(middle), _describe_scale(_halve(_reduce_images(values)))]
    return np.hstack(parts)


def _describe_scale(images: np.ndarray) -> np.ndarray:
    values = _reduce_images(images)
    grey = values.mean(axis=3)
    features = [_describe_intensity(grey), _describe_gradients(grey), _describe_contrast(grey)]
    features += [_describe_rings(grey), _describe_spectrum(grey)]
    if values.shape[3] > 1:
        channels = [values[..., k].reshape(len(values), -1) for k in range(values.shape[3])]
        features += [np.stack([f(axis=1) for c in channels for f in (c.mean, c.std)], axis=1)]
    return np.hstack(features).astype(float)


def _halve(images: np.ndarray) -> np.ndarray:
    height, width = (side // 2 for side in images.shape[1:3])
    blocks = images[:, : 2 * height, : 2 * width].reshape(len(images), height, 2, width, 2, -1)
    return blocks.mean(axis=(2, 4))


def _reduce_images(images: np.ndarray) -> np.ndarray:
    step = max(1, -(-max(images.shape[1:3]) // LARGEST_SIDE))
    if step == 1:
        return images
    height, width = (side // step for side in images.shape[1:3])
    blocks = images[:, : height * step, : width * step].reshape(len(images), height, step, width, step, -1)
    return blocks.mean(axis=(2, 4))


def _describe_intensity(grey: np.ndarray) -> np.ndarray:
    flat = grey.reshape(len(grey), -1)
    mean, spread = flat.mean(axis=1), flat.std(axis=1)
    standard = (flat - mean[:, None]) / np.maximum(spread, 1e-6)[:, None]
    squares = standard * standard
    moments = np.stack(
        [mean, spread, (squares * standard).mean(axis=1), (squares * squares).mean(axis=1)], axis=1
    )
    # Sorting and picking is several times as quick as interpolated percentiles, which tell no more here.
    places = np.rint(np.asarray(PERCENTILES) / 100 * (flat.shape[1] - 1)).astype(int)
    return np.hstack([moments, np.sort(flat, axis=1)[:, places]])


def _describe_gradients(grey: np.ndarray) -> np.ndarray:
    down, right = np.diff(grey, axis=1), np.diff(grey, axis=2)
    columns = [(down**2).mean(axis=(1, 2)), (right**2).mean(axis=(1, 2))]
    columns += [np.abs(down).max(axis=(1, 2)), np.abs(right).max(axis=(1, 2))]
    return np.stack(columns, axis=1)


def _describe_contrast(grey: np.ndarray) -> np.ndarray:
    """Mean and spread of the local standard deviation at three scales."""
    columns = []
    for window in WINDOWS:
        size = (1, min(window, grey.shape[1]), min(window, grey.shape[2]))
        mean = uniform_filter(grey, size, mode="nearest")
        spread = np.sqrt(np.maximum(uniform_filter(grey**2, size, mode="nearest") - mean**2, 0))
        columns += [spread.mean(axis=(1, 2)), spread.std(axis=(1, 2))]
    return np.stack(columns, axis=1)


def _describe_rings(grey: np.ndarray) -> np.ndarray:
    """Mean intensity in rings around the middle, less that of the whole image."""
    rows, columns = (np.abs(np.linspace(-1, 1, side)) for side in grey.shape[1:])
    radius = np.minimum(np.hypot(rows[:, None], columns[None, :]), 1 - 1e-9)
    flat = grey.reshape(len(grey), -1)
    return flat @ _average_classes((radius * RINGS).astype(int), RINGS) - flat.mean(axis=1, keepdims=True)


def _describe_spectrum(grey: np.ndarray) -> np.ndarray:
    """Log energy in bands of spatial frequency."""
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    energy = np.abs(np.fft.rfft2(centred)) ** 2
    rows, columns = np.fft.fftfreq(grey.shape[1]), np.fft.rfftfreq(grey.shape[2])
    radius = np.minimum(np.hypot(rows[:, None], columns[None, :]) / 0.5, 1 - 1e-9)
    return np.log(
        energy.reshape(len(grey), -1) @ _average_classes((radius * BANDS).astype(int), BANDS) + 1e-6
    )


def _average_classes(classes: np.ndarray, count: int) -> np.ndarray:
    weights = (classes.reshape(-1)[:, None] == np.arange(count)).astype(np.float32)
    return weights / np.maximum(weights.sum(axis=0), 1)

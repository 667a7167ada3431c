"""Images that look alike without being equal: another size, another compression, a touch of brightness."""

from __future__ import annotations

import numpy as np

ROWS, COLUMNS = 8, 8
# A step between neighbours counts from here on, so that flat areas do not tell by their noise.
STEP = 0.5
# Copies at another size or compression differ in none to three of the 64 bits.
DISTANCE = 3
# A hash with fewer bits of either kind belongs to a plain image, which resembles every other plain one.
PLAIN = 6
CHUNK_BYTES = 32 * 1024 * 1024
PAIRS_AT_ONCE = 1 << 21
# Beyond this many comparisons only equal hashes count, which takes no comparison.
MOST_PAIRS = 5_000_000_000


def hash_looks(pixels: np.ndarray) -> np.ndarray:
    """Reduce each image to 64 bits that survive small changes: is each cell of 8 x 9 brighter than its neighbour?

    Args:
        pixels: uint8 ``[N, H, W, C]``; read in chunks.

    Returns:
        uint64 ``[N]`` (the difference hash, dHash).
    """
    hashes = np.empty(len(pixels), dtype=np.uint64)
    step = max(1, CHUNK_BYTES // max(1, int(np.prod(pixels.shape[1:])) * 4))
    weights = np.uint64(1) << np.arange(ROWS * COLUMNS, dtype=np.uint64)
    for start in range(0, len(pixels), step):
        cells = _shrink(np.asarray(pixels[start : start + step]))
        bits = (cells[:, :, :-1] - cells[:, :, 1:] > STEP).reshape(len(cells), -1)
        hashes[start : start + step] = (bits * weights).sum(axis=1, dtype=np.uint64)
    return hashes


def find_near(asked: np.ndarray, known: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    """Tell which hashes have a near one among others.

    Args:
        asked: Hashes of ``hash_looks``.
        known: The others.
        distance: How many bits may differ.

    Returns:
        bool, one for each of ``asked``; plain images are never near to any.
    """
    kinds, place = np.unique(asked, return_inverse=True)
    others = np.unique(known)
    kinds_tell, others = ~_are_plain(kinds), others[~_are_plain(others)]
    near = np.isin(kinds, others)
    if len(kinds) * len(others) <= MOST_PAIRS and len(others):
        step = max(1, PAIRS_AT_ONCE // len(others))
        for start in range(0, len(kinds), step):
            some = kinds[start : start + step]
            differing = np.bitwise_count(some[:, None] ^ others[None])
            near[start : start + step] = differing.min(axis=1) <= distance
    return (near & kinds_tell)[place]


def _are_plain(hashes: np.ndarray) -> np.ndarray:
    bits = np.bitwise_count(hashes)
    return (bits < PLAIN) | (bits > ROWS * COLUMNS - PLAIN)


def _shrink(images: np.ndarray) -> np.ndarray:
    """Average images over 8 x 9 cells and their channels."""
    grey = images.astype(np.float32).mean(axis=3)
    for axis, cells in ((1, ROWS), (2, COLUMNS + 1)):
        edges = np.linspace(0, grey.shape[axis], cells + 1)[:-1].astype(int)
        sizes = np.maximum(np.diff([*edges, grey.shape[axis]]), 1)
        shape = [1, 1, 1]
        shape[axis] = cells
        grey = np.add.reduceat(grey, edges, axis=axis) / sizes.reshape(shape)
    return grey

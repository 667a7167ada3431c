"""Difference hashes (dHash) of images: a quick look for copies at another size, compression or brightness.

The leak audit searches more thoroughly, see ``near_copies``.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Sixteen by sixteen bits: with the usual eight by eight more than half of all chest films resembled some other
# patient's, because a chest is a chest.
ROWS, COLUMNS = 16, 16
WORDS = ROWS * COLUMNS // 64
# A step between neighbours counts from here on, so that flat areas do not tell by their noise.
STEP = 0.5
# Of copies of chest films at another size and compression 99 in 100 differ in 9 bits or fewer; the nearest films of
# two patients among 801 differ in 17.
DISTANCE = 10
# A hash with fewer bits of either kind belongs to a plain image, which resembles every other plain one.
PLAIN = 20
CHUNK_BYTES = 32 * 1024 * 1024
PAIRS_AT_ONCE = 1 << 21
# Beyond this many comparisons only equal hashes count, which takes no comparison.
MAX_PAIRS = 2_000_000_000


def difference_hash(pixels: np.ndarray) -> np.ndarray:
    """Reduce each image to 256 bits that survive small changes: is each cell of 16 x 17 brighter than its neighbour?

    Args:
        pixels: uint8 ``[N, H, W, C]``; read in chunks.

    Returns:
        uint64 ``[N, 4]`` (the difference hash, dHash).
    """
    hashes = np.empty((len(pixels), WORDS), dtype=np.uint64)
    step = max(1, CHUNK_BYTES // max(1, int(np.prod(pixels.shape[1:])) * 4))
    weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for start in range(0, len(pixels), step):
        cells = _shrink(np.asarray(pixels[start : start + step]))
        bits = (cells[:, :, :-1] - cells[:, :, 1:] > STEP).reshape(len(cells), WORDS, 64)
        hashes[start : start + step] = (bits * weights).sum(axis=2, dtype=np.uint64)
    return hashes


def find_near(asked: np.ndarray, known: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    """Tell which hashes have a near one among others.

    Args:
        asked: Hashes of ``difference_hash``.
        known: The others.
        distance: How many bits may differ.

    Returns:
        bool, one for each of ``asked``; plain images are never near to any.
    """
    kinds, place = np.unique(asked, axis=0, return_inverse=True)
    others = np.unique(known, axis=0)
    others = others[~_are_plain(others)]
    near = np.isin(_join_words(kinds), _join_words(others))
    if len(others) and len(kinds) * len(others) <= MAX_PAIRS:
        step = max(1, PAIRS_AT_ONCE // len(others))
        for start in range(0, len(kinds), step):
            some = kinds[start : start + step]
            differing = sum(
                np.bitwise_count(some[:, None, word] ^ others[None, :, word]).astype(np.uint16)
                for word in range(WORDS)
            )
            near[start : start + step] = np.min(differing, axis=1) <= distance
    return (near & ~_are_plain(kinds))[place.reshape(-1)]


def group_near(hashes: np.ndarray, distance: int = DISTANCE) -> np.ndarray:
    """Group images whose hashes are near each other, or linked by others between them.

    Args:
        hashes: Hashes of all images.
        distance: How many bits may differ.

    Returns:
        int, the group of each image; plain images are near to none but their equals.
    """
    kinds, place = np.unique(hashes, axis=0, return_inverse=True)
    place = place.reshape(-1)
    usable = np.flatnonzero(~_are_plain(kinds))
    rows, columns = [np.empty(0, int)], [np.empty(0, int)]
    if len(usable) and len(usable) ** 2 <= MAX_PAIRS:
        known = kinds[usable]
        step = max(1, PAIRS_AT_ONCE // len(usable))
        for start in range(0, len(usable), step):
            some = known[start : start + step]
            differing = sum(
                np.bitwise_count(some[:, None, word] ^ known[None, :, word]).astype(np.uint16)
                for word in range(WORDS)
            )
            row, column = np.nonzero(differing <= distance)
            rows.append(usable[row + start])
            columns.append(usable[column])
    pairs = (np.concatenate(rows), np.concatenate(columns))
    links = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(len(kinds), len(kinds)))
    return connected_components(links, directed=False)[1][place]


def _are_plain(hashes: np.ndarray) -> np.ndarray:
    bits = np.bitwise_count(hashes).sum(axis=1, dtype=int)
    return (bits < PLAIN) | (bits > ROWS * COLUMNS - PLAIN)


def _join_words(hashes: np.ndarray) -> np.ndarray:
    """Give every hash one key of all its words."""
    return np.ascontiguousarray(hashes).view(f"S{8 * WORDS}").reshape(-1)


def _shrink(images: np.ndarray) -> np.ndarray:
    """Average images over 16 x 17 cells and their channels."""
    grey = images.astype(np.float32).mean(axis=3)
    for axis, cells in ((1, ROWS), (2, COLUMNS + 1)):
        edges = np.linspace(0, grey.shape[axis], cells + 1)[:-1].astype(int)
        sizes = np.maximum(np.diff([*edges, grey.shape[axis]]), 1)
        shape = [1, 1, 1]
        shape[axis] = cells
        grey = np.add.reduceat(grey, edges, axis=axis) / sizes.reshape(shape)
    return grey

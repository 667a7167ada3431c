"""Copies of images that are not equal byte for byte: another compression, size, brightness, crop or a slight turn.

Two stages: thumbnails in eight views find the candidates, and a correlation after alignment decides. The limit comes
from the images at hand: from the nearest pairs of different patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from mammoscan.imaging.views import N_VIEWS, make_views

Array = NDArray[np.float32]

CHUNK_BYTES = 32 * 1024 * 1024
SIDE = 32  # of the thumbnails that are aligned
ROUGH_SIDE = 16  # of those that are searched
CANDIDATES = 6
# An image's nearest score exceeds its second-nearest by an exponential distance, of which so many quantiles are taken.
GAPS = 20
# So often the limit is set again without the images that lay beyond it.
REFITS = 5
# Thumbnails are compared in a band of spatial frequencies: below it lies the exposure, above it noise and compression.
ROUGH_BAND = (0.7, 4.0)
ALIGN_BAND = (0.7, 8.0)
SMOOTHING = 1.8
# The correlation is averaged over windows of this side, so that one strong edge does not decide for the whole image;
# windows with less variance than this, in grey levels squared, count for little.
WINDOW = 11
FLAT = 6.0
STEPS = 10
PAIRS_AT_ONCE = 256
# More comparisons than this take minutes: then a sample of the test images is searched.
MAX_COMPARISONS = 100_000_000
MAX_REFERENCES = 1500
# Of images without a copy this share lies beyond the limit.
FALSE_ALARMS = 0.01
# Beyond the stricter limit not one in all images is expected, save once in a hundred data sets: a single such image
# decides a report's verdict.
FAMILY_ERROR = 0.01
PLAIN = 1.0
# The limit where there are no two patients to set it from.
FALLBACK = 0.99
# Share of the images without a copy that is lost when copies are left out of the fit of the limit.
TRIMMED = 0.001


@dataclass(frozen=True)
class Limits:
    """From which score on two images count as copies of each other.

    Attributes:
        near: Exceeded by ``FALSE_ALARMS`` of the images that have no copy.
        certain: Exceeded by none of them in 99 of 100 data sets of this size.
        references: The images from whose nearest neighbours of other patients the limits were set.
    """

    near: float
    certain: float
    references: int


def make_thumbnails(pixels: np.ndarray) -> NDArray[np.float16]:
    """Shrink images to grey thumbnails of ``SIDE`` by ``SIDE``, read in chunks.

    Args:
        pixels: uint8 ``[N, H, W, C]``.
    """
    thumbnails = np.empty((len(pixels), SIDE, SIDE), np.float16)
    step = max(1, CHUNK_BYTES // max(1, int(np.prod(pixels.shape[1:])) * 8))
    for start in range(0, len(pixels), step):
        grey = np.asarray(pixels[start : start + step]).astype(np.float32).mean(axis=3)
        for axis in (1, 2):
            grey = _resize_axis(grey, axis)
        thumbnails[start : start + step] = grey
    return thumbnails


def find_near_copies(
    thumbnails: NDArray[np.float16], queries: NDArray[np.integer], known: NDArray[np.integer]
) -> tuple[Array, NDArray[np.int64]]:
    """Return each query's best score among the known images, and which one has it.

    Args:
        thumbnails: Of all images.
        queries: Rows of the images whose copies are searched for.
        known: Rows of the images among which they are searched.

    Returns:
        The scores, at most 1 and -1 where an image is plain or nothing is known; and the rows of the best.
    """
    best, where = np.full(len(queries), -1, np.float32), np.full(len(queries), -1)
    if not len(queries) or not len(known):
        return best, where
    rows, views = _find_candidates(thumbnails, queries, known, np.zeros((1, 1), bool))
    scores = _score_candidates(thumbnails, queries, rows, views)
    top = scores.argmax(axis=1)
    found = np.take_along_axis(rows, top[:, None], 1)[:, 0]
    return np.take_along_axis(scores, top[:, None], 1)[:, 0], found


def measure_limits(
    thumbnails: NDArray[np.float16],
    rows: NDArray[np.integer],
    patients: np.ndarray,
    tested: int,
    seed: int = 0,
) -> Limits:
    """Set the limits from the nearest pairs of different patients.

    Copies among the images must not raise the limit that is to find them: scores far beyond the tail of the others are
    left out of the fit.

    Args:
        thumbnails: Of all images.
        rows: Those in use, no two of them equal.
        patients: The patient of every image.
        tested: How many images will be compared with the limits.
        seed: Of the draw of ``MAX_REFERENCES`` images where there are more.
    """
    queries = rows
    if len(rows) > MAX_REFERENCES:
        queries = np.sort(np.random.default_rng(seed).choice(rows, MAX_REFERENCES, replace=False))
    same = patients[queries][:, None] == patients[rows][None, :]
    queries, same = queries[~same.all(axis=1)], same[~same.all(axis=1)]
    if len(queries) < 2:
        return Limits(FALLBACK, FALLBACK, len(queries))
    found, views = _find_candidates(thumbnails, queries, rows, same)
    scores = np.sort(_score_candidates(thumbnails, queries, found, views), axis=1)
    scores = scores[scores[:, -1] > -1]
    if len(scores) < 2:
        return Limits(FALLBACK, FALLBACK, len(scores))
    scores = np.arctanh(np.clip(scores, -0.999999, 0.999999))
    without_copy = np.ones(len(scores), bool)
    for _ in range(REFITS):
        near, certain = _fit_limits(_replace_nearest(scores, without_copy), max(tested, len(scores)))
        without_copy = scores[:, -1] <= near
    return Limits(float(np.tanh(near)), float(np.tanh(certain)), len(scores))


def _fit_limits(values: NDArray[np.floating], tested: int) -> tuple[float, float]:
    """Return the two limits for so many tested images, from what images without a copy may score."""
    # First a limit from the lower third alone, by the quantiles of the Gumbel distribution: copies of up to half of all
    # images cannot raise it.
    low, middle = np.quantile(values, [0.1, 0.3])
    scale = (middle - low) / (np.log(-np.log(0.1)) - np.log(-np.log(0.3)))
    beyond = middle + scale * np.log(-np.log(0.3)) - scale * np.log(-np.log1p(-FALSE_ALARMS))
    for _ in range(20):
        kept = values[values <= beyond]
        middle, high, near = np.quantile(kept, [0.5, 0.9, 1 - FALSE_ALARMS])
        # The upper tail is at most exponential: what lies far beyond it is a copy.
        last, beyond = beyond, middle + (high - middle) / np.log(5) * np.log(0.5 / TRIMMED)
        if (kept <= beyond).all() and (values[values > last] > beyond).all():
            break
    tail = max((near - high) / np.log(0.1 / FALSE_ALARMS), 1e-3)
    return float(near), float(max(near + tail * np.log(FALSE_ALARMS * tested / FAMILY_ERROR), near))


def _replace_nearest(values: NDArray[np.floating], without_copy: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Return what each image's nearest score would be without a copy.

    That is its second-nearest score, which a copy leaves alone, and a distance between both: the highest of many values
    with an exponential tail exceed each other by exponential distances. Their median gives the scale, since copies of
    up to half of all images leave it alone.

    Args:
        values: Each image's scores, rising.
        without_copy: The images that are known to be no copies; with copies among them the distance is too large.

    Returns:
        For each image ``GAPS`` values, equally likely.
    """
    if values.shape[1] < 2 or len(values) == 0:
        return values[:, -1]
    nearest, second = values[:, -1], values[:, -2]
    scale = np.median((nearest - second)[without_copy]) / np.log(2)
    distances = -scale * np.log1p(-(np.arange(GAPS) + 0.5) / GAPS)
    return (second[:, None] + distances).reshape(-1)


def _find_candidates(
    thumbnails: NDArray[np.float16],
    queries: NDArray[np.integer],
    known: NDArray[np.integer],
    excluded: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the known images that look most alike, and the view of the query in which they do."""
    count = min(CANDIDATES, len(known))
    rows, views = np.empty((len(queries), count), np.int64), np.empty((len(queries), count), np.int64)
    vectors = _describe(thumbnails[known])[:, 0]
    step = max(1, CHUNK_BYTES // (4 * N_VIEWS * len(known)))
    for start in range(0, len(queries), step):
        asked = _describe(thumbnails[queries[start : start + step]], N_VIEWS)
        likeness = (asked.reshape(-1, asked.shape[2]) @ vectors.T).reshape(len(asked), N_VIEWS, -1)
        view = likeness.argmax(axis=1)
        likeness = np.take_along_axis(likeness, view[:, None], 1)[:, 0]
        likeness[queries[start : start + step, None] == known[None, :]] = -2
        if excluded.size > 1:
            likeness[excluded[start : start + step]] = -2
        top = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        rows[start : start + step] = np.where(np.take_along_axis(likeness, top, 1) > -2, known[top], -1)
        views[start : start + step] = np.take_along_axis(view, top, 1)
    return rows, views


def _score_candidates(
    thumbnails: NDArray[np.float16],
    queries: NDArray[np.integer],
    rows: NDArray[np.int64],
    views: NDArray[np.int64],
) -> Array:
    """Return the score of each query with each of its candidates; -1 for no candidate or a plain image."""
    scores = np.full(rows.size, -1, np.float32)
    asked, found, view = np.repeat(queries, rows.shape[1]), rows.reshape(-1), views.reshape(-1)
    pairs = np.flatnonzero(found >= 0)
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        first = make_views(thumbnails[asked[some]].astype(np.float32))[np.arange(len(some)), view[some]]
        second = thumbnails[found[some]].astype(np.float32)
        maps = _align(_filter_band(first, ALIGN_BAND), _filter_band(second, ALIGN_BAND))
        moved, inside = (part.reshape(first.shape) for part in _sample(second, maps))
        # Smoothed where both are known: what lies beyond the edge of the one would blur into the other alone.
        scores[some] = _correlate_windows(
            _smooth_inside(first, inside), _smooth_inside(moved, inside), inside
        )
    return scores.reshape(rows.shape)


def _describe(thumbnails: NDArray[np.float16], views: int = 1) -> Array:
    """Return unit vectors ``[N, views, D]`` whose products are the correlations of rough thumbnails."""
    step = SIDE // ROUGH_SIDE
    rough = thumbnails.astype(np.float32).reshape(-1, ROUGH_SIDE, step, ROUGH_SIDE, step).mean(axis=(2, 4))
    rough = _filter_band(rough, ROUGH_BAND)
    vectors = (make_views(rough) if views > 1 else rough[:, None]).reshape(len(rough), views, -1)
    vectors = vectors - vectors.mean(axis=2, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-3)


def _align(first: Array, second: Array) -> Array:
    """Return the affine maps ``[P, 3, 3]`` that bring the second images onto the first (Lucas and Kanade).

    The inverse compositional form: what depends on the first image alone is computed once. Places are in half sides
    from the middle.
    """
    x, y = _list_places()
    down, right = np.gradient(first, axis=(1, 2))
    down, right = (part.reshape(len(first), -1) * (SIDE / 2) for part in (down, right))
    goal = first.reshape(len(first), -1)
    goal = goal - goal.mean(axis=1, keepdims=True)
    slopes = np.stack([right * x, right * y, right, down * x, down * y, down, goal], axis=1)
    normal = slopes @ slopes.transpose(0, 2, 1)
    ridge = 2e-3 * np.trace(normal[:, :6, :6], axis1=1, axis2=2)[:, None, None] / 6 + 1e-6
    inverse = np.linalg.inv(normal + np.eye(7, dtype=np.float32) * ridge)
    maps = np.tile(np.eye(3, dtype=np.float32), (len(first), 1, 1))
    still = np.eye(3, dtype=np.float32)[:2]
    for _ in range(STEPS):
        moved, inside = _sample(second, maps)
        count = inside.sum(axis=1, keepdims=True) + 1e-3
        moved = (moved - (moved * inside).sum(axis=1, keepdims=True) / count) * inside
        target = (goal - (goal * inside).sum(axis=1, keepdims=True) / count) * inside
        gain = (moved * target).sum(axis=1, keepdims=True) / np.maximum(
            (moved**2).sum(axis=1, keepdims=True), 1e-6
        )
        error = np.maximum(gain, 0.2) * moved - target
        change = np.clip((inverse @ (slopes @ error[:, :, None]))[:, :6, 0], -0.08, 0.08)
        warp = np.tile(np.eye(3, dtype=np.float32), (len(first), 1, 1))
        warp[:, :2] += change.reshape(-1, 2, 3)
        maps = maps @ np.linalg.inv(warp)
        maps[:, :2] = np.clip(maps[:, :2], still - 0.3, still + 0.3)
    return maps


def _correlate_windows(first: Array, moved: Array, inside: Array) -> Array:
    """Return the mean correlation of windows of the first images with the second ones brought onto them."""

    def average(values: Array) -> Array:
        return uniform_filter(values * inside, (0, WINDOW, WINDOW), mode="constant") / share

    share = uniform_filter(inside, (0, WINDOW, WINDOW), mode="constant") + 1e-6
    mean, mean_moved = average(first), average(moved)
    spread = np.maximum(average(first**2) - mean**2, 0) * np.maximum(average(moved**2) - mean_moved**2, 0)
    spread = np.sqrt(spread)
    correlation = (average(first * moved) - mean * mean_moved) / (spread + 1e-3)
    weight = inside * (share > 0.5) * spread / (spread + FLAT)
    total = weight.sum(axis=(1, 2))
    score = (correlation * weight).sum(axis=(1, 2)) / np.maximum(total, 1e-3)
    # Of a plain image hardly a window has any variance: it is like every other plain one, and a copy of none.
    plain = (spread * inside).mean(axis=(1, 2)) < PLAIN
    return np.where(plain, -1, np.minimum(score, 1)).astype(np.float32)


def _sample(images: Array, maps: Array) -> tuple[Array, Array]:
    """Read images at mapped places, bilinearly; also return 1 where the place is inside and 0 elsewhere."""
    x, y = _list_places()
    middle = (SIDE - 1) / 2
    across = middle + SIDE / 2 * (maps[:, 0, :1] * x + maps[:, 0, 1:2] * y + maps[:, 0, 2:3])
    along = middle + SIDE / 2 * (maps[:, 1, :1] * x + maps[:, 1, 1:2] * y + maps[:, 1, 2:3])
    edge = SIDE - 1
    inside = (across >= 0) & (across <= edge) & (along >= 0) & (along <= edge)
    across, along = np.clip(across, 0, edge - 1e-3), np.clip(along, 0, edge - 1e-3)
    column, row = across.astype(np.int32), along.astype(np.int32)
    right, down = (across - column).astype(np.float32), (along - row).astype(np.float32)
    flat, place = images.reshape(len(images), -1), row * SIDE + column
    corner = [np.take_along_axis(flat, place + step, 1) for step in (0, 1, SIDE, SIDE + 1)]
    values = (corner[0] * (1 - right) + corner[1] * right) * (1 - down)
    values += (corner[2] * (1 - right) + corner[3] * right) * down
    return values, inside.astype(np.float32)


def _list_places() -> tuple[Array, Array]:
    line = ((np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 2)).astype(np.float32)
    y, x = np.meshgrid(line, line, indexing="ij")
    return x.reshape(-1), y.reshape(-1)


def _smooth(images: Array, width: float) -> Array:
    return gaussian_filter(images, (0, width, width), mode="nearest")


def _smooth_inside(images: Array, inside: Array) -> Array:
    """Smooth each image by those of its pixels that are inside."""
    share: Array = _smooth(inside, SMOOTHING) + 1e-6
    return _smooth(images * inside, SMOOTHING) / share


def _filter_band(images: Array, band: tuple[float, float]) -> Array:
    smooth = _smooth(images, band[0])
    return smooth - _smooth(smooth, band[1])


def _resize_axis(images: Array, axis: int) -> Array:
    """Average images over ``SIDE`` equal parts of an axis, or repeat their values where there are fewer."""
    size = images.shape[axis]
    if size < SIDE:
        return np.take(images, np.arange(SIDE) * size // SIDE, axis=axis)
    edges = np.arange(SIDE + 1) * size / SIDE
    whole = np.minimum(edges.astype(int), size)
    shape = [1, 1, 1]
    shape[axis] = SIDE + 1
    part = (edges - whole).reshape(shape)
    start = np.zeros_like(np.take(images, [0], axis=axis), dtype=np.float64)
    sums = np.concatenate([start, np.cumsum(images, axis=axis, dtype=np.float64)], axis=axis)
    at_edges = (
        np.take(sums, whole, axis) * (1 - part) + np.take(sums, np.minimum(whole + 1, size), axis) * part
    )
    return (np.diff(at_edges, axis=axis) * (SIDE / size)).astype(np.float32)

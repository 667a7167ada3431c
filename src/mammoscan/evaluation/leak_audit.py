"""Say how much of a test side the training side has already seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from mammoscan.evaluation.near_copies import find_near, hash_looks
from mammoscan.evaluation.splits import split_folds
from mammoscan.imaging.views import make_views

CHUNK_BYTES = 32 * 1024 * 1024
# From pixels to one key an image, equal keys meaning "seen before".
Fingerprint = Callable[[np.ndarray], np.ndarray]
KINDS = ("exact", "views", "region", "source", "patient")


def audit_leaks(
    samples: pd.DataFrame, pixels: np.ndarray, folds: pd.DataFrame, epoch_chosen_on: str = "validation"
) -> dict:
    """Count what test and training sides share, over all folds.

    Args:
        samples: One row a sample; ``patient_id``, ``source`` and ``region_id`` are read.
        pixels: The images, uint8 ``[N, H, W, C]``, in the same order.
        folds: The table of folds; validation counts as training side.
        epoch_chosen_on: ``test`` where the test side also chose the epoch.

    Returns:
        ``images``, ``distinct``, ``distinct_up_to_views``, ``sources``, ``test_images`` and ``folds``; for each of
        ``exact``, ``near``, ``views``, ``region``, ``source`` and ``patient`` the test images seen before (``count``,
        ``share``) and how many images, regions, scans or patients are ``shared``; ``validation``: the same of the
        validation images against the training rows alone; ``epoch_chosen_on_test``; a ``sentence``.
    """
    prints: dict[str, Fingerprint] = {"exact": hash_images, "views": hash_views}
    keys = {name: fingerprint(pixels) for name, fingerprint in prints.items()}
    for name, column in (("region", "region_id"), ("source", "source"), ("patient", "patient_id")):
        keys[name] = samples[column].astype(str).to_numpy()
    looks = hash_looks(pixels)
    parts = split_folds(folds)
    used = np.unique(np.concatenate([rows["row"].to_numpy() for rows in parts.values()]))
    result: dict = {
        "images": len(used),
        "distinct": len(np.unique(keys["exact"][used])),
        "distinct_up_to_views": len(np.unique(keys["views"][used])),
        "sources": len(np.unique(keys["source"][used])),
        "test_images": sum(int((rows["role"] == "test").sum()) for rows in parts.values()),
        "folds": len(parts),
    }
    result |= _count_seen(keys, looks, parts, "test", ("train", "validation"))
    result["validation"] = _count_seen(keys, looks, parts, "validation", ("train",))
    result["epoch_chosen_on_test"] = epoch_chosen_on == "test"
    result["sentence"] = describe_leaks(result)
    return result


def _count_seen(
    keys: dict[str, np.ndarray],
    looks: np.ndarray,
    parts: dict[str, pd.DataFrame],
    asked: str,
    known: tuple[str, ...],
) -> dict[str, dict]:
    """Count the images of one role that other roles have seen, over all folds, for each kind of key."""
    seen = dict.fromkeys(("exact", "near", *keys), 0)
    shared: dict[str, set] = {name: set() for name in seen}
    total = 0
    for rows in parts.values():
        mine, others = (rows.loc[rows["role"].isin(roles), "row"].to_numpy() for roles in ((asked,), known))
        total += len(mine)
        found = {name: np.isin(values[mine], values[others]) for name, values in keys.items()}
        # An exact copy is a near one too, also of a plain image, of which no near one is told.
        found["near"] = found["exact"] | find_near(looks[mine], looks[others])
        for name, before in found.items():
            seen[name] += int(before.sum())
            shared[name] |= set(keys["exact" if name == "near" else name][mine[before]])
    return {
        name: {"count": count, "share": count / total if total else 0.0, "shared": len(shared[name])}
        for name, count in seen.items()
    }


def describe_leaks(audit: dict) -> str:
    """Put an audit's figures into words.

    Args:
        audit: What ``audit_leaks`` counted.

    Returns:
        One or two sentences for a reader who knows no code.
    """
    total = audit["test_images"]
    chosen = (
        " The test images also chose the epoch at which training stopped."
        if audit["epoch_chosen_on_test"]
        else ""
    )
    chosen += _describe_validation(audit.get("validation") or {})
    # Where every image is a file of its own there are no scans to speak of.
    cut = audit.get("sources") != audit["images"]
    if not any(audit[name]["count"] for name in KINDS):
        things = ["their turned or mirrored copies", *(["their scans"] if cut else [])]
        return f"None of the {total} test images, {', '.join(things)} or their patients were seen in training.{chosen}"

    def tell(name: str) -> str:
        return f"{audit[name]['count']} ({audit[name]['share']:.0%})"

    shared = (
        f"{tell('source')} have an image of their scan there and {tell('patient')} one of their patient"
        if cut
        else f"{tell('patient')} have an image of their patient there"
    )
    return (
        f"Of {total} test images, {tell('exact')} are byte for byte in the training set, {tell('views')} are "
        f"there as they are, turned or mirrored, {'' if cut else 'and '}{shared}: the figures measured on them do not "
        f"tell how the model does on new patients.{chosen}"
    )


def _describe_validation(seen: dict) -> str:
    if not seen or not seen["patient"]["count"]:
        return ""
    patients, images = seen["patient"]["shared"], seen["patient"]["count"]
    who = "1 patient stands" if patients == 1 else f"{patients} patients stand"
    return (
        f" {who} in the training and the validation side: {images} of the images that chose the epoch are of a patient "
        f"seen in training. Of all images that chose the epoch {seen['exact']['count']} are exact copies of training "
        f"images and {seen['near']['count']} are copies or nearly so."
    )


def hash_images(pixels: np.ndarray) -> np.ndarray:
    """Give equal images equal keys.

    Args:
        pixels: uint8 ``[N, H, W, C]``.

    Returns:
        One key an image.
    """
    return np.array([_digest(np.ascontiguousarray(image).tobytes()) for image in pixels], dtype=object)


def hash_views(pixels: np.ndarray) -> np.ndarray:
    """Give images that are turned or mirrored copies of each other equal keys.

    The key is that of the canonical view: the lexicographically least of the eight views' bytes. Only images
    that agree in quantities no turn can change (sums of values and squares) are turned at all.

    Args:
        pixels: uint8 ``[N, H, W, C]``.

    Returns:
        One key an image.
    """
    count = len(pixels)
    step = max(1, CHUNK_BYTES // max(1, int(np.prod(pixels.shape[1:])) * 8))
    sums = np.zeros((count, 2), dtype=np.int64)
    for start in range(0, count, step):
        values = pixels[start : start + step].reshape(len(pixels[start : start + step]), -1).astype(np.int64)
        sums[start : start + step] = np.stack([values.sum(axis=1), (values**2).sum(axis=1)], axis=1)
    _, group, sizes = np.unique(sums, axis=0, return_inverse=True, return_counts=True)
    keys = np.array([f"alone {index}" for index in range(count)], dtype=object)
    twins = np.flatnonzero(sizes[group.reshape(-1)] > 1)
    for start in range(0, len(twins), step):
        chosen = twins[start : start + step]
        for index, views in zip(chosen, _turn_images(np.asarray(pixels[chosen])), strict=True):
            keys[index] = _digest(min(np.ascontiguousarray(view).tobytes() for view in views))
    return keys


def _turn_images(images: np.ndarray) -> np.ndarray:
    if images.shape[1] == images.shape[2]:
        return make_views(images)
    # An oblong image has only the views that keep its shape.
    return np.stack([images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]], axis=1)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()

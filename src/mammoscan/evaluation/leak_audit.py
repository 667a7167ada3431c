"""Count how much of the test sides the training sides have already seen."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation import near_copies
from mammoscan.evaluation.splits import split_folds
from mammoscan.imaging.views import make_views
from mammoscan.number_format import format_share

CHUNK_BYTES = 32 * 1024 * 1024
KINDS = ("exact", "views", "region", "source", "patient")
# More near copies than chance gives in so few of a hundred data sets are taken for copies.
CHANCE_LEVEL = 0.025


def audit_leaks(
    samples: pd.DataFrame,
    pixels: np.ndarray,
    folds: pd.DataFrame,
    epoch_chosen_on: str = "validation",
    patients_known: bool = True,
) -> dict[str, Any]:
    """Count what test and training sides share, over all folds.

    Args:
        samples: One row per sample; ``patient_id``, ``source`` and ``region_id`` are read.
        pixels: The images, uint8 ``[N, H, W, C]``, in the same order.
        folds: The table of folds; validation counts as training side.
        epoch_chosen_on: ``test`` where the test side also chose the epoch.
        patients_known: Whether ``patient_id`` says whom an image is of, and not only which image it is.

    Returns:
        ``images``, ``distinct``, ``distinct_up_to_views``, ``sources``, ``test_images`` and ``folds``; for each of
        ``exact``, ``near``, ``views``, ``region``, ``source`` and ``patient`` the test images seen before (``count``,
        ``share``) and how many images, regions, scans or patients are ``shared``; of ``near`` also how many were
        ``tested``, are ``certain``, and whether they are ``beyond_chance``; ``near_limits``; ``evidence`` of shared
        patients: ``none``, ``name``, ``images`` or ``name and images``; ``validation``: the same counts of the
        validation images against the training rows alone; ``epoch_chosen_on_test``; a ``sentence``.
    """
    parts = split_folds(folds)
    used = np.unique(np.concatenate([rows["row"].to_numpy() for rows in parts.values()]))
    keys = {"exact": hash_images(pixels), "views": hash_views(pixels)}
    for name, column in (("region", "region_id"), ("source", "source"), ("patient", "patient_id")):
        keys[name] = samples[column].astype(str).to_numpy(dtype=object)
    thumbnails = near_copies.make_thumbnails(pixels)
    tested = sum(int((rows["role"] == "test").sum()) for rows in parts.values())
    distinct = used[np.unique(keys["views"][used], return_index=True)[1]]
    limits = near_copies.measure_limits(thumbnails, distinct, keys["patient"], tested)
    result: dict[str, Any] = {
        "images": len(used),
        "distinct": len(np.unique(keys["exact"][used])),
        "distinct_up_to_views": len(distinct),
        "sources": len(np.unique(keys["source"][used])),
        "test_images": tested,
        "folds": len(parts),
        "patients_known": patients_known,
        "near_limits": {"near": limits.near, "certain": limits.certain, "references": limits.references},
    }
    result |= _count_seen(keys, thumbnails, limits, parts, "test", ("train", "validation"))
    result["validation"] = _count_seen(keys, thumbnails, limits, parts, "validation", ("train",))
    named = patients_known and result["patient"]["count"] > 0
    copied = has_copies(result)
    result["evidence"] = " and ".join(
        [*(["name"] if named else []), *(["images"] if copied else [])] or ["none"]
    )
    result["epoch_chosen_on_test"] = epoch_chosen_on == "test"
    result["sentence"] = describe_leaks(result)
    return result


def has_copies(audit: dict[str, Any]) -> bool:
    """Return whether an audit found copies of test images in training, near copies beyond chance included."""
    return bool(audit["views"]["count"] or audit["near"]["beyond_chance"])


def _count_seen(
    keys: dict[str, np.ndarray],
    thumbnails: np.ndarray,
    limits: near_copies.Limits,
    parts: dict[str, pd.DataFrame],
    role: str,
    known: tuple[str, ...],
) -> dict[str, dict[str, Any]]:
    """Count the images of one role that other roles have seen, over all folds, for each kind of key."""
    seen = dict.fromkeys(("exact", "near", *keys), 0)
    shared: dict[str, set] = {name: set() for name in seen}
    total = searched = certain = 0
    sides = [
        tuple(rows.loc[rows["role"].isin(roles), "row"].to_numpy() for roles in ((role,), known))
        for rows in parts.values()
    ]
    comparisons = sum(len(mine) * len(others) for mine, others in sides)
    share = min(1.0, near_copies.MAX_COMPARISONS / max(comparisons, 1))
    for mine, others in sides:
        total += len(mine)
        found = {name: np.isin(values[mine], values[others]) for name, values in keys.items()}
        scores = _score_near(keys["views"], thumbnails, mine, others, found["views"], share)
        # A copy as it is, turned or mirrored is a near one too, also of a plain image, which is near to no other.
        found["near"] = found["views"] | (scores > limits.near)
        searched += int(np.isfinite(scores).sum())
        certain += int((found["views"] | (scores > limits.certain)).sum())
        for name, before in found.items():
            seen[name] += int(before.sum())
            shared[name] |= set(keys["exact" if name == "near" else name][mine[before]])
    counts: dict[str, dict[str, Any]] = {
        name: {"count": count, "share": count / total if total else 0.0, "shared": len(shared[name])}
        for name, count in seen.items()
    }
    near, copies = counts["near"], seen["views"]
    near["share"] = (copies + (near["count"] - copies) * (total - copies) / max(searched, 1)) / max(total, 1)
    # Start-up must not wait for SciPy's statistics.
    from scipy.stats import binom

    by_chance = int(binom.ppf(1 - CHANCE_LEVEL, searched, near_copies.FALSE_ALARMS))
    near |= {
        "tested": searched + copies,
        "certain": certain,
        "beyond_chance": bool(certain or near["count"] - copies > by_chance),
    }
    return counts


def _score_near(
    keys: np.ndarray,
    thumbnails: np.ndarray,
    mine: np.ndarray,
    others: np.ndarray,
    copied: np.ndarray,
    share: float,
) -> np.ndarray:
    """Return the near-copy score of each image without a copy; NaN of copies and of those that were not drawn."""
    scores = np.full(len(mine), np.nan)
    queries = np.flatnonzero(~copied)
    if share < 1 and len(queries):
        count = max(1, round(share * len(queries)))
        queries = np.sort(np.random.default_rng(0).choice(queries, count, replace=False))
    # One of several equal images will do.
    _, first, place = np.unique(keys[mine[queries]], return_index=True, return_inverse=True)
    known = others[np.unique(keys[others], return_index=True)[1]]
    if len(first):
        found, _ = near_copies.find_near_copies(thumbnails, mine[queries[first]], known)
        scores[queries] = found[place.reshape(-1)]
    return scores


def describe_leaks(audit: dict[str, Any]) -> str:
    """Put an audit's figures into words.

    Args:
        audit: What ``audit_leaks`` counted.

    Returns:
        A few sentences for a reader who knows no code.
    """
    total = audit["test_images"]
    # Where every image is a file of its own there are no scans to speak of.
    cut = audit["sources"] != audit["images"]
    sentences = [_describe_near(audit)]
    if any(audit[name]["count"] for name in KINDS):
        shared = (
            f"{_tell(audit, 'source')} have an image of their scan there and {_tell(audit, 'patient')} one of their "
            "patient"
            if cut
            else f"{_tell(audit, 'patient')} have an image of their patient there"
        )
        sentences.insert(
            0,
            f"Of {total} test images, {_tell(audit, 'exact')} are byte for byte in the training set, "
            f"{_tell(audit, 'views')} are there as they are, turned or mirrored, {'' if cut else 'and '}{shared}: the "
            "figures measured on them do not tell how the model does on new patients.",
        )
        if audit["evidence"] == "name":
            sentences.append(
                f"That {audit['patient']['shared']} patients are on both sides is known from their numbers only: no "
                "copy of an image was found. The sides may have numbered their patients anew, so this may be no leak, "
                "but nobody can call these data free of leaks."
            )
    else:
        things = ["their turned or mirrored copies", *(["their scans"] if cut else [])]
        whom = " or their patients" if audit["patients_known"] else ""
        sentences.insert(
            0, f"None of the {total} test images, {', '.join(things)}{whom} were seen in training."
        )
    if not audit["patients_known"]:
        sentences.append(
            "Whom the images are of is not known: images of one patient may be on both sides, and these data cannot be "
            "called free of leaks."
        )
    if audit["epoch_chosen_on_test"]:
        sentences.append("The test images also chose the epoch at which training stopped.")
    sentences.append(_describe_validation(audit.get("validation") or {}))
    return " ".join(sentence for sentence in sentences if sentence)


def _tell(audit: dict[str, Any], name: str) -> str:
    return f"{audit[name]['count']} ({format_share(audit[name]['share'], audit['test_images'])})"


def _describe_near(audit: dict[str, Any]) -> str:
    near, copies = audit["near"], audit["views"]["count"]
    count = near["count"] - copies
    of = "" if near["tested"] == audit["test_images"] else f" (of {near['tested']} that were compared)"
    if near["beyond_chance"] and count:
        return (
            f"{count} test images{of} have a near copy in training, that is, the same image brighter, darker, "
            "recompressed, resized, noisy, cropped or slightly turned: what a network reaches on them may be memory."
        )
    if count:
        only = f"{count} test images{of} resemble" if count > 1 else f"1 test image{of} resembles"
        return (
            f"{only} a training image closely, no more than the {format_share(near_copies.FALSE_ALARMS)} that do so by "
            "chance: the audit found no near copies."
        )
    return "" if copies else f"No test image{of} has a near copy in training."


def _describe_validation(seen: dict[str, Any]) -> str:
    if not seen or not seen["patient"]["count"]:
        return ""
    patients, images = seen["patient"]["shared"], seen["patient"]["count"]
    who = "1 patient is" if patients == 1 else f"{patients} patients are"
    return (
        f"{who} in both the training and the validation side: {images} of the images that chose the epoch are of a "
        "patient seen in training. Of all images that chose the epoch "
        f"{seen['exact']['count']} are exact copies of training images and {seen['near']['count']} are copies or "
        "nearly so."
    )


def hash_images(pixels: np.ndarray) -> np.ndarray:
    """Return keys that are equal for equal images.

    Args:
        pixels: uint8 ``[N, H, W, C]``.

    Returns:
        One key per image.
    """
    return np.array([digest_bytes(np.ascontiguousarray(image).tobytes()) for image in pixels], dtype=object)


def hash_views(pixels: np.ndarray) -> np.ndarray:
    """Return keys that are equal for images that are turned or mirrored copies of each other.

    The key is that of the canonical view: the lexicographically least of the eight views' bytes. Only images
    that agree in quantities no turn can change (sums of values and squares) are turned at all.

    Args:
        pixels: uint8 ``[N, H, W, C]``.

    Returns:
        One key per image.
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
        for index, views in zip(chosen, turn_images(np.asarray(pixels[chosen])), strict=True):
            keys[index] = digest_bytes(min(np.ascontiguousarray(view).tobytes() for view in views))
    return keys


def turn_images(images: np.ndarray) -> np.ndarray:
    """Return ``[N, views, H, W, C]``: the eight views of square images, the four that keep the shape of others."""
    if images.shape[1] == images.shape[2]:
        return make_views(images)
    # An oblong image has only the views that keep its shape.
    return np.stack([images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]], axis=1)


def digest_bytes(content: bytes) -> str:
    """Return the key of some bytes."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()

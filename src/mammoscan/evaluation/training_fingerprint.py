"""What a model keeps of its training images, so that anybody can ask later whether it has seen an image.

Of each image two digests and a difference hash: enough to know it again, as it is, turned, mirrored, recompressed or
brighter. The hash tells on a grid of 16 by 16 which neighbour is brighter, and no more of the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mammoscan.evaluation.difference_hash import WORDS, difference_hash, find_near
from mammoscan.evaluation.leak_audit import digest_bytes, hash_images, turn_images

EXACT, TURNED = "exact", "turned"
HASHES = [f"hash_{word}" for word in range(WORDS)]
BLOCK = 256


def fingerprint_images(pixels: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    """Return the fingerprint of some images, one row each, in an order that says nothing.

    Args:
        pixels: uint8 ``[N, H, W, C]``, as the network takes them; read block by block.
        rows: Which of them.
    """
    tables = []
    for start in range(0, len(rows), BLOCK):
        images = np.asarray(pixels[rows[start : start + BLOCK]])
        table = pd.DataFrame({EXACT: hash_images(images), TURNED: _hash_turned(images)})
        tables.append(pd.concat([table, pd.DataFrame(difference_hash(images), columns=HASHES)], axis=1))
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[EXACT, TURNED, *HASHES])
    return found.sort_values(EXACT, ignore_index=True)


def audit_images(
    fingerprint: pd.DataFrame | None, pixels: np.ndarray, same_data: bool = False
) -> dict[str, Any]:
    """Count the images that a model has seen in training.

    Args:
        fingerprint: Of its training images; None where the model carries none.
        pixels: uint8 ``[N, H, W, C]``, as the network takes them.
        same_data: Whether the images are the data set that the model was trained on, file by file.

    Returns:
        ``test_images``; for each of ``exact``, ``views`` and ``near`` the images seen before (``count``, ``share``);
        ``images``, of the training; and a ``sentence``. Without a fingerprint only the first and the last.
    """
    total = len(pixels)
    result: dict[str, Any] = {"test_images": total}
    if fingerprint is None:
        sentence = (
            "These are the very files that the model was trained on: the figures say nothing of new images."
            if same_data
            else "The model carries no fingerprint of its training images, so whether it has seen any of these was "
            "not checked."
        )
        return result | {"sentence": sentence}
    exact, turned, near = (np.zeros(total, bool) for _ in range(3))
    known = fingerprint[HASHES].to_numpy(dtype=np.uint64)
    for start in range(0, total, BLOCK):
        images = np.asarray(pixels[start : start + BLOCK])
        place = slice(start, start + len(images))
        exact[place] = np.isin(hash_images(images), fingerprint[EXACT].to_numpy(dtype=object))
        turned[place] = np.isin(_hash_turned(images), fingerprint[TURNED].to_numpy(dtype=object))
        views = turn_images(images)
        near[place] = np.any(
            [find_near(difference_hash(view), known) for view in views.swapaxes(0, 1)], axis=0
        )
    turned |= exact
    near |= turned
    for name, seen in (("exact", exact), ("views", turned), ("near", near)):
        result[name] = {"count": int(seen.sum()), "share": float(seen.mean()) if total else 0.0}
    alike = result["near"]["count"] - result["views"]["count"]
    # A handful that only look alike are no proof; see the explanation of the leak audit.
    result["near"]["beyond_chance"] = alike > max(1.0, 0.01 * total)
    result["images"] = len(fingerprint)
    return result | {"sentence": _describe(result)}


def _describe(audit: dict[str, Any]) -> str:
    total, seen, near = audit["test_images"], audit["views"], audit["near"]["count"] - audit["views"]["count"]
    of = f"the {audit['images']:,} images that the model was trained on"
    said = (
        f"{seen['count']:,} of the {total:,} images ({seen['share']:.0%}) are among {of}, as they are, turned or "
        "mirrored: on those the figures say nothing of new images."
        if seen["count"]
        else f"None of the {total:,} images is among {of}, as it is, turned or mirrored."
    )
    alike = f" {near:,} more look much like one of them." if near else ""
    return f"{said}{alike} Patients are not compared: a model does not carry their names."


def _hash_turned(images: np.ndarray) -> np.ndarray:
    """Return keys that are equal for images that are turned or mirrored copies of each other."""
    return np.array(
        [
            digest_bytes(min(np.ascontiguousarray(view).tobytes() for view in views))
            for views in turn_images(images)
        ],
        dtype=object,
    )

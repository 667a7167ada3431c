from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

BLOCK_BYTES = 64 * 1024**2
DIGITS = 16


def describe_data(samples: pd.DataFrame, pixels: np.ndarray, rows: pd.DataFrame) -> dict[str, str]:
    """Say what a training sees, in a few digits each: a resumed one must see the same.

    Args:
        samples: The samples, in the order of the pixels.
        pixels: uint8 ``[N, H, W, C]``, possibly memory-mapped; read once, block by block.
        rows: The fold's rows and roles.
    """
    tables = {"samples": samples[["sample_id", "target"]], "rows": rows}
    hashed = {name: pd.util.hash_pandas_object(table, index=False) for name, table in tables.items()}
    # Over the bytes, not their sum: the order of samples is the order of their pixels.
    told = {name: hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest() for name, hashes in hashed.items()}
    told["pixels"] = hash_pixels(pixels)
    return {name: digest[:DIGITS] for name, digest in told.items()}


def hash_pixels(pixels: np.ndarray) -> str:
    """Return the SHA-256 of an array's bytes, without holding more than a block of it."""
    digest = hashlib.sha256()
    step = max(1, BLOCK_BYTES // max(1, pixels[:1].nbytes))
    for start in range(0, len(pixels), step):
        digest.update(np.ascontiguousarray(pixels[start : start + step]).data)
    return digest.hexdigest()

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mammoscan.errors import MammoscanError


def read_folds(path: Path | None) -> pd.DataFrame | None:
    """Return a division that a person wrote, in the layout of the ``folds`` entry; none where there is no file."""
    if path is None:
        return None
    try:
        return pd.read_csv(path, dtype={"sample_id": str})
    except (OSError, ValueError) as error:
        raise MammoscanError(
            f"split.file {path}: found no readable table ({error}), expected a CSV like the folds entry "
            "with sample_id and fold_0, fold_1, …; write one or set split.file to null"
        ) from error

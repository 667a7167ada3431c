from __future__ import annotations

from pathlib import Path
from typing import Any


def load_model(path: Path) -> Any:
    """Return the Keras model in ``path``, uncompiled and without running code that the file may carry."""
    import keras

    return keras.saving.load_model(path, compile=False, safe_mode=True)

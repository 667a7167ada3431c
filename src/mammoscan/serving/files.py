"""What lies in the folder of a packaged model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mammoscan.errors import MammoscanError

NETWORK, ONNX, CARD, FAMILIAR = "network.keras", "network.onnx", "card.json", "familiar.json"
MODEL_CARD, MODEL_CARD_DATA = "model_card.md", "model_card.json"


def find_files(folder: Path) -> Path:
    """Return where a model's files are: in the folder itself, or in ``artifacts`` as in an MLflow model.

    Args:
        folder: The folder of a packaged model.
    """
    folder = Path(folder)
    inside = folder if (folder / CARD).is_file() else folder / "artifacts"
    for name in (CARD, NETWORK):
        if not (inside / name).is_file():
            raise MammoscanError(f"{folder} holds no {name}, expected the folder of a packaged model")
    return inside


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of the model in a folder."""
    return json.loads((find_files(folder) / CARD).read_text(encoding="utf-8"))

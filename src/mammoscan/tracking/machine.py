"""On what a run's networks were trained, in words for MLflow."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def describe_machines(histories: Iterable[Path]) -> dict[str, str]:
    """Return tags with the device, its memory, the engine and the precision of all trainings of a run.

    Args:
        histories: What each training left. On a cluster they may come of several machines: all are named.
    """
    found: dict[str, dict[str, None]] = {}
    for file in histories:
        history = json.loads(file.read_text())
        device: dict[str, Any] = history.get("device") or {}
        told = {
            "device": device.get("name"),
            "device_kind": device.get("kind"),
            "device_memory_gb": device.get("memory_gb"),
            "device_cores": device.get("cores"),
            "backend": device.get("backend"),
            "engine": history.get("engine"),
            "precision": history.get("precision"),
        }
        for name, value in told.items():
            if value is not None:
                found.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(values) for name, values in found.items()}

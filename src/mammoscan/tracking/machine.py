"""On what a run's networks were trained, as tags for MLflow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mammoscan.records.history import History


def describe_machines(histories: Iterable[Path]) -> dict[str, str]:
    """Return tags with the device, its memory, the engine and the precision of all trainings of a run.

    Args:
        histories: The trainings' history files. On a cluster they may come from several machines: all are named.
    """
    found: dict[str, dict[str, None]] = {}
    for file in histories:
        history = History.model_validate_json(file.read_text())
        facts = {
            "device": history.device.name,
            "device_kind": history.device.kind,
            "device_memory_gb": history.device.memory_gb,
            "device_cores": history.device.cores,
            "backend": history.device.backend,
            "engine": history.engine,
            "precision": history.precision,
        }
        for name, value in facts.items():
            if value is not None:
                found.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(values) for name, values in found.items()}

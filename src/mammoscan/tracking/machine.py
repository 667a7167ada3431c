"""On what a run's networks were trained, as tags for MLflow, and what the machine does meanwhile, as its metrics."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from mammoscan.records.history import History

_WRITING = threading.Lock()
# A process that is forked while the monitor's thread holds MLflow's database would wait for it for ever.
os.register_at_fork(
    before=_WRITING.acquire, after_in_parent=_WRITING.release, after_in_child=_WRITING.release
)


class SystemMonitor(SystemMetricsMonitor):
    """Samples the machine every ten seconds; MLflow shows it under *System metrics*."""

    def publish_metrics(self, metrics: dict[str, Any]) -> None:
        """Write a sample, while no process is forked."""
        with _WRITING:
            super().publish_metrics(metrics)


def describe_machines(histories: Iterable[History]) -> dict[str, str]:
    """Return tags with the device, its memory, the engine and the precision of all trainings of a run.

    Args:
        histories: Of the trainings. On a cluster they may come from several machines: all are named.
    """
    found: dict[str, dict[str, None]] = {}
    for history in histories:
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

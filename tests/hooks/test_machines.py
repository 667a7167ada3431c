from __future__ import annotations

from histories import CPU, make_history
from mammoscan.tracking.machine import describe_machines


def test_every_device_that_trained_is_named_once() -> None:
    gpu = CPU.model_copy(update={"kind": "gpu", "name": "Some GPU", "memory_gb": None})
    histories = [make_history(), make_history(), make_history(device=gpu)]
    assert describe_machines(histories) == {
        "device": "Some CPU, Some GPU",
        "device_kind": "cpu, gpu",
        "device_memory_gb": "15.6",
        "device_cores": "2",
        "backend": "tensorflow",
        "engine": "tensorflow",
        "precision": "float32",
    }
    assert describe_machines([]) == {}

from __future__ import annotations

from pathlib import Path

from histories import CPU, make_history
from mammoscan.tracking.machine import describe_machines


def test_every_device_that_trained_is_named_once(tmp_path: Path) -> None:
    gpu = CPU.model_copy(update={"kind": "gpu", "name": "Some GPU", "memory_gb": None})
    histories = [make_history(), make_history(), make_history(device=gpu)]
    files = [tmp_path / f"{number}.json" for number in range(len(histories))]
    for file, history in zip(files, histories, strict=True):
        file.write_text(history.model_dump_json())
    assert describe_machines(files) == {
        "device": "Some CPU, Some GPU",
        "device_kind": "cpu, gpu",
        "device_memory_gb": "15.6",
        "device_cores": "2",
        "backend": "tensorflow",
        "engine": "tensorflow",
        "precision": "float32",
    }
    assert describe_machines([]) == {}

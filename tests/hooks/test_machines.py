from __future__ import annotations

import json
from pathlib import Path

from mammoscan.tracking.machine import describe_machines

CPU = {
    "kind": "cpu",
    "name": "Some CPU",
    "memory_gb": 15.6,
    "cores": 2,
    "backend": "tensorflow",
    "place": "/CPU:0",
}


def test_every_device_that_trained_is_named_once(tmp_path: Path) -> None:
    histories = [
        {"device": CPU, "engine": "tensorflow", "precision": "float32"},
        {"device": CPU, "engine": "tensorflow", "precision": "float32"},
        {"device": CPU | {"kind": "gpu", "name": "Some GPU", "memory_gb": None}, "engine": "tensorflow"},
        {"epochs": []},
    ]
    files = [tmp_path / f"{number}.json" for number in range(len(histories))]
    for file, history in zip(files, histories, strict=True):
        file.write_text(json.dumps(history))
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

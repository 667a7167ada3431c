from __future__ import annotations

from types import SimpleNamespace

import pytest

from mammoscan.errors import MammoscanError
from mammoscan.params import MachineParams
from mammoscan.training.devices import choose_device


def test_the_cpu_is_found_with_its_name_memory_and_cores() -> None:
    device = choose_device(MachineParams(device="cpu"))
    assert device.kind == "cpu"
    assert device.name
    assert device.cores >= 1
    assert device.memory_gb > 0


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(MammoscanError, match=r"gpu was asked for, but tensorflow found only the CPU"):
        choose_device(MachineParams(device="gpu"))
    assert choose_device(MachineParams(device="auto")).kind == "cpu"


def test_the_first_gpu_is_taken_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: [SimpleNamespace(name=n) for n in ("one", "two")]
    )
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"device_name": f"card {gpu.name}"}
    )
    for asked in ("auto", "gpu"):
        device = choose_device(MachineParams(device=asked))
        assert (device.kind, device.name, device.place) == ("gpu", "card one", "/GPU:0")
    assert choose_device(MachineParams(device="cpu")).place == "/CPU:0"

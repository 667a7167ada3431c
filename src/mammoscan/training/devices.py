"""The machine that trains: what was asked for, and what is there."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from mammoscan.errors import MammoscanError
from mammoscan.params import MachineParams
from mammoscan.records.history import Device

# What a backend needs for a GPU.
_GPU_PACKAGES = {"tensorflow": 'the extra: pip install -e ".[gpu]"', "jax": 'pip install "jax[cuda13]"'}


def choose_device(machine: MachineParams) -> Device:
    """Find the device that ``machine.device`` asks for.

    Args:
        machine: ``auto`` takes the first GPU where there is one.

    Returns:
        The device, its memory and the cores beside it.
    """
    backend = _find_backend()
    gpus = _list_gpus(backend)
    if machine.device == "gpu" and not gpus:
        package = _GPU_PACKAGES.get(backend, f"{backend} for your GPU")
        raise MammoscanError(
            f"train.device: gpu was asked for, but {backend} found only the CPU ({_name_cpu()}); "
            f"set train.device to auto or cpu, or install the drivers and {package}"
        )
    if gpus and machine.device != "cpu":
        return gpus[0]
    return Device(
        kind="cpu",
        name=_name_cpu(),
        memory_gb=_measure_memory(),
        cores=_count_cores(),
        backend=backend,
        place="/CPU:0" if backend == "tensorflow" else "cpu:0",
    )


def find_jax_device(place: str) -> Any:
    """Return JAX's device of a place like ``gpu:0``."""
    import jax

    kind, _, number = place.partition(":")
    return jax.devices(kind)[int(number)]


def make_deterministic() -> None:
    """Have the backend compute equal bits for equal input; it stays so for the rest of the process.

    JAX is told of it where its functions are compiled.

    No global seed is set: every random draw has its own, TensorFlow then refuses one that has not, and setting a
    seed would throw away the compiled functions of earlier trainings.
    """
    import keras

    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _find_backend() -> str:
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MammoscanError(
            f"KERAS_BACKEND: found {os.environ.get('KERAS_BACKEND')!r}, but there is no module {error.name}; "
            'install it (JAX: pip install -e ".[jax]"), or unset KERAS_BACKEND for TensorFlow'
        ) from error
    return keras.config.backend()


def _list_gpus(backend: str) -> list[Device]:
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return [
            _make_gpu(str(detail.get("device_name", gpu.name)), None, backend, f"/GPU:{i}")
            for i, (gpu, detail) in enumerate(zip(gpus, details, strict=True))
        ]
    if backend == "jax":
        import jax

        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        limits = [(gpu.memory_stats() or {}).get("bytes_limit") for gpu in gpus]
        return [
            _make_gpu(gpu.device_kind, limit and round(limit / 1024**3, 1), backend, f"gpu:{i}")
            for i, (gpu, limit) in enumerate(zip(gpus, limits, strict=True))
        ]
    return []


def _make_gpu(name: str, memory_gb: float | None, backend: str, place: str) -> Device:
    return Device(
        kind="gpu", name=name, memory_gb=memory_gb, cores=_count_cores(), backend=backend, place=place
    )


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _name_cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _measure_memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1)
    except (AttributeError, ValueError, OSError):
        return None

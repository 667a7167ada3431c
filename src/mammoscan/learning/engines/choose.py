"""The engine that a machine's parameters and the backend call for."""

from __future__ import annotations

from mammoscan.learning.engines.interface import Engine, Job


def open_engine(job: Job, engine: str) -> Engine:
    """Start a training with fresh weights.

    Args:
        job: What is trained.
        engine: ``fit`` for Keras' own loop; ``auto`` for the fastest that the backend has.

    Returns:
        The engine, ready for its first epoch; the caller closes it.
    """
    if engine == "auto" and job.device["backend"] == "tensorflow":
        from mammoscan.learning.engines.tensorflow import TensorFlowEngine

        return TensorFlowEngine(job)
    from mammoscan.learning.engines.fit import FitEngine

    return FitEngine(job)

"""The engine that a machine's parameters and the backend call for."""

from __future__ import annotations

import logging

from mammoscan.training.engines.base import Engine, Job

_log = logging.getLogger(__name__)


def open_engine(job: Job, engine: str) -> Engine:
    """Start a training with fresh weights.

    Args:
        job: What is trained.
        engine: ``fit`` for Keras' own loop; ``auto`` for the fastest that the backend has and that can do the job.

    Returns:
        The engine, ready for its first epoch; the caller closes it.
    """
    if engine == "auto" and job.device.backend in ("tensorflow", "jax"):
        if not job.batch_hooks:
            return _open_compiled(job)
        names = ", ".join(type(hook).__name__ for hook in job.batch_hooks)
        _log.info("Training with Keras' own fit, which is slower: %s wants to hear of every batch.", names)
    from mammoscan.training.engines.keras_fit import FitEngine

    return FitEngine(job)


def _open_compiled(job: Job) -> Engine:
    if job.device.backend == "jax":
        from mammoscan.training.engines.jax import JaxEngine

        return JaxEngine(job)
    from mammoscan.training.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(job)

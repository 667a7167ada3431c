"""The engines: TensorFlow's and JAX's compiled epochs, and Keras' own ``fit`` for anything else."""

from __future__ import annotations

import logging

from mammoscan.training.engines.base import Engine, EngineError
from mammoscan.training.setup import TrainingSetup

__all__ = ["Engine", "EngineError", "open_engine"]

_log = logging.getLogger(__name__)


def open_engine(setup: TrainingSetup, engine: str) -> Engine:
    """Start a training with fresh weights.

    Args:
        setup: What is trained, and where.
        engine: ``fit`` for Keras' own loop; ``auto`` for the fastest that the backend has and that can train it.

    Returns:
        The engine, ready for its first epoch; the caller closes it.
    """
    if engine == "auto" and setup.device.backend in ("tensorflow", "jax"):
        if not setup.batch_hooks:
            return _open_compiled(setup)
        names = ", ".join(type(hook).__name__ for hook in setup.batch_hooks)
        _log.info("Training with Keras' own fit, which is slower: %s has hooks for every batch.", names)
    from mammoscan.training.engines.keras_fit import FitEngine

    return FitEngine(setup)


def _open_compiled(setup: TrainingSetup) -> Engine:
    if setup.device.backend == "jax":
        from mammoscan.training.engines.jax import JaxEngine

        return JaxEngine(setup)
    from mammoscan.training.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(setup)

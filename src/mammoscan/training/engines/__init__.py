"""The inner loops: one a backend, and Keras' own ``fit`` for anything else."""

from __future__ import annotations

from mammoscan.training.engines.base import EndEpoch, Engine, EngineError, Job
from mammoscan.training.engines.choose import open_engine

__all__ = ["EndEpoch", "Engine", "EngineError", "Job", "open_engine"]

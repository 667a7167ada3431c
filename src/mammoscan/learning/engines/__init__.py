"""The inner loops: one a backend, and Keras' own ``fit`` for anything else."""

from mammoscan.learning.engines.choose import open_engine
from mammoscan.learning.engines.interface import EndEpoch, Engine, EngineError
from mammoscan.learning.engines.job import Job

__all__ = ["EndEpoch", "Engine", "EngineError", "Job", "open_engine"]

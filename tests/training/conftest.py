from __future__ import annotations

from tiny_trainings import problem, tiny_networks, train

__all__ = ["problem", "tiny_networks", "train"]

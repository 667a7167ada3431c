"""What is learnt, and how a machine runs it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mammoscan.studies.block import Block


class Recipe(Block):
    """A training recipe: all that changes the trained weights, besides the data and the network."""

    network: str = "small_cnn"
    epochs: int = Field(ge=1)
    patience: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    optimizer: Literal["adam", "sgd"] = "adam"
    scale: Literal["unit", "standard"] = "unit"
    monitor: Literal["loss", "accuracy", "auc"] = "loss"
    class_weights: Literal["none", "balanced"] = "none"
    seed: int = Field(0, ge=0)


class MachineParams(Block):
    """How a machine runs a recipe; none of it may change what is learnt, but for rounding."""

    engine: Literal["auto", "fit"] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    deterministic: bool = True
    resume: bool = False

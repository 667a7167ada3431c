"""What is learnt, and how a machine runs it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block

WEIGHT_FILES = (".weights.h5", ".keras", ".h5")


class NetworkParams(Block):
    """Which architecture, and the weights that it begins with.

    ``weights`` is ``none`` (drawn from the recipe's seed), ``imagenet`` (fetched once by Keras) or a file.
    """

    name: str = "small_cnn"
    weights: str = "none"

    @field_validator("weights")
    @classmethod
    def _weights_are_known(cls, weights: str) -> str:
        if weights not in ("none", "imagenet") and not weights.endswith(WEIGHT_FILES):
            raise ValueError(
                f"network.weights is {weights!r}, expected none, imagenet or a file that ends in "
                f"{', '.join(WEIGHT_FILES)}"
            )
        return weights


class AugmentationParams(Block):
    """How far each training image is bent at random, anew in each epoch.

    ``rotation`` and ``shear`` are the largest angles to either side, in degrees; ``zoom`` holds the smallest and the
    largest factor of each axis, where less than 1 brings the image nearer. What lies outside repeats the border.
    """

    rotation: float = Field(0, ge=0, le=180)
    shear: float = Field(0, ge=0, lt=90)
    zoom: tuple[float, float] = (1, 1)
    flip_horizontal: bool = False
    flip_vertical: bool = False

    @model_validator(mode="after")
    def _zoom_is_a_range(self) -> AugmentationParams:
        low, high = self.zoom
        if not 0.1 <= low <= high <= 10:
            raise ValueError(
                f"augmentation.zoom is {[low, high]}, expected [lowest, highest] between 0.1 and 10"
            )
        return self


class PlateauParams(Block):
    """Where ``monitor`` stands still for ``patience`` epochs: the learning rate times ``factor``, down to ``floor``."""

    patience: int = Field(ge=1)
    factor: float = Field(gt=0, lt=1)
    floor: float = Field(0, ge=0)


class PhaseParams(Block):
    """Two phases: the head alone for ``head_epochs``, then everything at the learning rate ``fine_rate``."""

    head_epochs: int = Field(ge=1)
    fine_rate: float = Field(gt=0)


class Recipe(Block):
    """A training recipe: all that changes the trained weights, besides the data.

    ``loss: auto`` is cross-entropy for the network's head; ``binary_crossentropy`` counts each output by itself.
    ``scale: backbone`` is the preprocessing that a pretrained network wants. With ``freeze`` only the head learns,
    from features that are computed once. ``prediction_draws`` averages over so many augmented images at prediction.
    """

    network: NetworkParams = NetworkParams()
    epochs: int = Field(ge=1)
    patience: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    optimizer: Literal["adam", "sgd"] = "adam"
    loss: Literal["auto", "crossentropy", "binary_crossentropy"] = "auto"
    scale: Literal["unit", "standard", "backbone"] = "unit"
    monitor: Literal["loss", "accuracy", "auc"] = "loss"
    class_weights: Literal["none", "balanced"] = "none"
    augmentation: AugmentationParams | None = None
    prediction_draws: int = Field(0, ge=0, le=100)
    plateau: PlateauParams | None = None
    phases: PhaseParams | None = None
    freeze: bool = False
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _keys_go_together(self) -> Recipe:
        if self.freeze:
            for key in ("augmentation", "phases"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"freeze is true and {key} is set, expected one of them: with freeze the features of an "
                        f"image are computed once; set freeze to false or {key} to null"
                    )
        if self.prediction_draws and self.augmentation is None:
            raise ValueError(
                f"prediction_draws is {self.prediction_draws} and augmentation is null, expected the augmentation "
                "that is drawn from; set it, or prediction_draws to 0"
            )
        return self


class MachineParams(Block):
    """How a machine runs a recipe; none of it may change what is learnt, but for rounding."""

    engine: Literal["auto", "fit"] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    deterministic: bool = True
    resume: bool = False

"""Training recipes, and how a machine runs them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from mammoscan.params.base import Block

WEIGHT_FILES = (".weights.h5", ".keras", ".h5")


class NetworkParams(Block):
    """The architecture and its initial weights."""

    name: str = Field("small_cnn", description="the architecture, a name in `models/registry.py`")
    weights: str = Field(
        "none",
        description="initial weights: `none` (random, from `seed`), `imagenet` (downloaded once by Keras), or a "
        "`.weights.h5`, `.keras` or `.h5` file",
    )

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
    """Random changes of each training image, drawn anew in each epoch."""

    rotation: float = Field(0, ge=0, le=180, description="largest angle to either side, in degrees")
    shear: float = Field(0, ge=0, lt=90, description="largest angle to either side, in degrees")
    zoom: tuple[float, float] = Field(
        (1, 1),
        description="smallest and largest factor of each axis, 0.1 to 10, drawn separately; below 1 enlarges the image",
    )
    flip_horizontal: bool = Field(False, description="mirror every other image left to right")
    flip_vertical: bool = Field(False, description="mirror every other image top to bottom")
    shift_height: float = Field(
        0, ge=0, le=1, description="largest shift up or down, as a share of the height"
    )
    shift_width: float = Field(
        0, ge=0, le=1, description="largest shift left or right, as a share of the width"
    )
    brightness: float = Field(
        0, ge=0, le=1, description="largest change of all grey levels, as a share of their range"
    )
    contrast: float = Field(
        0, ge=0, lt=1, description="largest change of the distance to the image's mean, as a share of it"
    )
    fill: Literal["nearest", "reflect", "wrap", "constant"] = Field(
        "nearest",
        description="what lies beyond the border: its pixels repeated, mirrored or from the other side, or black",
    )

    @model_validator(mode="after")
    def _zoom_is_a_range(self) -> AugmentationParams:
        low, high = self.zoom
        if not 0.1 <= low <= high <= 10:
            raise ValueError(
                f"augmentation.zoom is {[low, high]}, expected [lowest, highest] between 0.1 and 10"
            )
        return self


class PlateauParams(Block):
    """A lower learning rate when ``monitor`` no longer improves."""

    patience: int = Field(ge=1, description="epochs without improvement before each reduction")
    factor: float = Field(gt=0, lt=1, description="factor of each reduction")
    floor: float = Field(0, ge=0, description="lowest learning rate")


class CosineParams(Block):
    """A learning rate that rises to the recipe's and then falls along half a cosine, epoch by epoch."""

    warmup: int = Field(0, ge=0, description="epochs in which it rises in a straight line")
    floor: float = Field(0, ge=0, lt=1, description="share of the learning rate that the last epoch has")


class PhaseParams(Block):
    """Two phases: first the head with a frozen backbone, then all layers."""

    head_epochs: int = Field(ge=1, description="epochs of the first phase")
    fine_rate: float = Field(gt=0, description="learning rate of the second phase")


class Recipe(Block):
    """A training recipe: everything besides the data that determines the trained weights."""

    network: NetworkParams = Field(NetworkParams(), description="the architecture and its initial weights")
    epochs: int = Field(ge=1, description="epochs, at most")
    patience: int | None = Field(
        None,
        ge=1,
        description="early stopping: stop after this many epochs without improvement; null trains to the end",
    )
    keep: Literal["best", "last"] | None = Field(
        None,
        description="whose weights are kept: the best epoch's by `monitor` (also without `patience`) or the last one's "
        "(also with it); null is `best` with `patience` and `last` without",
    )
    batch_size: int = Field(32, ge=1, description="images in a training step")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of the optimizer")
    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        "adam", description="optimizer, with Keras' defaults otherwise"
    )
    weight_decay: float = Field(
        0.004,
        ge=0,
        description="of `adamw`: share by which weights shrink in a step, times the learning rate",
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="momentum of a moving average of the weights, which is then validated and kept; null is none",
    )
    loss: Literal["auto", "crossentropy", "binary_crossentropy", "focal", "squared", "huber"] = Field(
        "auto",
        description="`auto` is the cross-entropy that fits the network's outputs; `binary_crossentropy` treats each "
        "output separately, also where there are two; `focal` weighs images that are already right less. Validation "
        "always scores the plain cross-entropy. Of numbers: `squared`, which is `auto`, or `huber`, which weighs "
        "errors beyond one standard deviation less",
    )
    label_smoothing: float = Field(
        0, ge=0, lt=1, description="share of the target that is spread evenly over all labels"
    )
    scale: Literal["unit", "standard", "backbone"] = Field(
        "unit",
        description="pixel values that the network is given: `unit` 0 to 1, `standard` the standard score of a "
        "standardised scan, `backbone` the preprocessing of a pretrained network",
    )
    monitor: Literal["loss", "accuracy", "auc"] = Field(
        "loss", description="what early stopping and the plateau watch, on the set that chooses the epoch"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="`balanced` gives each label the same total weight in the loss"
    )
    augmentation: AugmentationParams | None = Field(None, description="the block below; null is none")
    prediction_draws: int = Field(
        0,
        ge=0,
        le=100,
        description="average predictions over this many draws of the augmentation; 0 uses the image as it is",
    )
    plateau: PlateauParams | None = Field(None, description="the block below; null keeps the learning rate")
    cosine: CosineParams | None = Field(None, description="the block below; null is none")
    phases: PhaseParams | None = Field(
        None, description="the block below; null trains all layers from the start"
    )
    freeze: bool = Field(
        False, description="train the head only, on backbone features that are computed once"
    )
    ensemble: int = Field(
        1,
        ge=1,
        le=20,
        description="networks with different seeds that each fold trains and combines by the mean of their logits",
    )
    seed: int = Field(
        0, ge=0, description="seed of initial weights, order of images, dropout, views and augmentation"
    )

    @model_validator(mode="after")
    def _keys_go_together(self) -> Recipe:
        if self.freeze and self.ensemble > 1:
            raise ValueError(
                f"freeze is true and ensemble is {self.ensemble}, expected one of them: heads on the same features "
                "differ too little to combine; set freeze to false or ensemble to 1"
            )
        if self.freeze:
            for key in ("augmentation", "phases"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"freeze is true and {key} is set, expected one of them: with freeze the features of an "
                        f"image are computed once; set freeze to false or {key} to null"
                    )
        if self.cosine is not None:
            for key in ("plateau", "phases"):
                if getattr(self, key) is not None:
                    raise ValueError(
                        f"cosine and {key} are set, expected one of them: both decide the learning rate; "
                        f"set {key} or cosine to null"
                    )
            if self.cosine.warmup >= self.epochs:
                raise ValueError(
                    f"cosine.warmup is {self.cosine.warmup}, expected fewer than the {self.epochs} epochs"
                )
        if self.prediction_draws and self.augmentation is None:
            raise ValueError(
                f"prediction_draws is {self.prediction_draws} and augmentation is null, expected the augmentation "
                "that is drawn from; set it, or prediction_draws to 0"
            )
        return self


class MachineParams(Block):
    """How this machine trains, the same for all studies; it changes results by rounding at most."""

    engine: Literal["auto", "fit"] = Field(
        "auto",
        description="`auto` runs whole epochs in one compiled function where the backend supports it; `fit` is "
        "plain Keras",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="`auto` takes the first GPU if there is one; `gpu` without one is an error"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="bfloat16 is faster on processors that support it; the last layer stays in float32",
    )
    deterministic: bool = Field(True, description="the same seed gives the same bits on one machine")
    resume: bool = Field(False, description="continue from the checkpoints of an interrupted run")

"""The model's card: what a packaged network needs to answer, and what must be known of its answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from mammoscan.params import Recipe, ScanGridParams, ViewParams
from mammoscan.records.base import Record


class WindowInput(Record):
    """The network takes a window of a scan.

    Attributes:
        kind: ``window`` of the standardised grid, or the square of a region's ``radius``.
        size: Its side, in pixels of the grid.
        grid: The grid that scans are brought to.
        scan_side: Side of a published scan in pixels.
        scales: Of the windows that are the input's channels, as multiples of ``size``; 1 comes first.
    """

    kind: Literal["window", "radius"]
    size: int
    grid: ScanGridParams
    scan_side: int = 1024
    scales: tuple[float, ...] = (1,)

    @property
    def window_side(self) -> int:
        """The widest window's side in pixels of the scan."""
        return round(max(self.scales) * self.size * self.scan_side / self.grid.size)


class ImageInput(Record):
    """The network takes a whole image file, resized to height and width; ``levels`` are those of 16-bit files."""

    kind: Literal["image"]
    size: tuple[int, int]
    channels: int
    levels: int | None = None


NetworkInput = Annotated[WindowInput | ImageInput, Field(discriminator="kind")]


class ModelInput(Record):
    """How an image becomes the network's input, and that input's height, width and channels."""

    input: NetworkInput
    shape: tuple[int, int, int]


class CardSubgroup(Record):
    """The AUC within one subgroup."""

    by: str
    subgroup: str
    samples: int
    patients: int
    value: float | None
    low: float | None
    high: float | None
    note: str | None = ""


class CardOutOfDistribution(Record):
    """The out-of-distribution check.

    Attributes:
        in_distribution_share: Share of the training images within the limit.
        held_out: Share of held-out images that it wrongly flags, with its interval.
        altered: The same share of altered images, by how they were altered.
        limits: The distances from the training images beyond which an image is flagged, by grey levels and by features.
    """

    in_distribution_share: float
    held_out: dict[str, Any]
    altered: dict[str, dict[str, Any]]
    limits: dict[str, float]


class CardTarget(Record):
    """What a model that gives no labels predicts.

    Attributes:
        kind: A number, or an ordered level.
        quantity: What is predicted, in a word or two.
        measured_in: Its unit.
        levels: Their names, the lowest first; a level is predicted as its place.
        low: Lowest number in the training data, for levels a place.
        high: Highest.
        error_low: True less predicted: with ``error_high`` the range that held ``level`` of the out-of-fold errors.
        error_high: Its upper end.
        digits: Decimals of an answer.
    """

    kind: Literal["numbers", "levels"]
    quantity: str
    measured_in: str = ""
    levels: tuple[str, ...] = ()
    low: float
    high: float
    error_low: float
    error_high: float
    digits: int = 2


class Card(Record):
    """What a packaged model carries besides its network.

    Attributes:
        notice: The sentence that goes with every answer.
        shape: Height, width and channels of the network's input.
        input: How an image becomes that input.
        threshold: From which calibrated probability on the answer is ``positive``.
        temperature: By which the logits are divided.
        training: The recipe; its ``scale`` is that of the pixels.
        metrics: The network's measures, each with ``value``, ``low`` and ``high``.
        baselines: The AUC of each simple model.
        calibration: Brier score and calibration error ``before`` and ``after`` calibration.
        operation: Sensitivity, specificity and what follows, at the ``chosen`` threshold and at ``even_odds``.
        out_of_distribution: None where the model has no such check.
        division: What the division kept apart, by the leak audit, e.g. ``patients kept apart``.
        patients_apart: False where a known patient is in training and test.
        verified: Whether every file has the checksum that its publisher's file has.
        patients: None where patients are unknown.
        lockbox_patients: Set aside for one test at the end; ``samples``, ``patients`` and ``label_samples`` do not
            count them.
        fingerprinted: How many training images the model knows again by their digests; None where it carries none.
        target: What is predicted where it is no label; then there are no ``labels``, or they are the levels, and
            ``positive``, ``threshold`` and ``temperature`` mean nothing.
        epochs: Of the final training; None for an article's own model, whose epoch its training chose.
    """

    # A model that a later version packaged may say more.
    model_config = ConfigDict(extra="ignore", frozen=True)

    study: str
    protocol: Literal["patient", "author"]
    data: Literal["real", "phantom", "modified"]
    notice: str
    labels: tuple[str, ...]
    positive: str
    threshold: float
    shape: tuple[int, int, int]
    input: NetworkInput
    training: Recipe
    views: ViewParams
    temperature: float = 1.0
    title: str = ""
    question: str = ""
    unit: str = "images"
    division: str = ""
    patients_apart: bool = True
    verified: bool = False
    dataset: str = ""
    data_fingerprint: str = ""
    citation: str = ""
    licence: str = ""
    address: str = ""
    limits: tuple[str, ...] = ()
    samples: int | None = None
    patients: int | None = None
    label_samples: dict[str, int] = Field(default_factory=dict)
    lockbox_patients: int = 0
    level: float = 0.95
    threshold_rule: str = ""
    folds: int | None = None
    best_epochs: tuple[int, ...] = ()
    epochs: int | None = None
    parameters: int | None = None
    metrics: dict[str, Any] = Field(default_factory=dict)
    baselines: dict[str, dict[str, Any]] = Field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] | None = None
    operation: dict[str, dict[str, Any]] | None = None
    prevalence: float | None = None
    subgroups: tuple[CardSubgroup, ...] = ()
    out_of_distribution: CardOutOfDistribution | None = None
    fingerprinted: int | None = None
    target: CardTarget | None = None
    run_id: str = ""
    commit: str = ""
    command: str = ""
    python: str = ""
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def takes(self) -> ModelInput:
        """What an image must become for the network."""
        return ModelInput(input=self.input, shape=self.shape)

    @property
    def is_binary(self) -> bool:
        """Whether there are two labels, so that a threshold decides."""
        return self.target is None and len(self.labels) == 2

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of numbers in a table of answers."""
        if self.target is not None:
            return ("value", "low", "high")
        return tuple(f"p_{label}" for label in self.labels)

    @property
    def rank_column(self) -> str:
        """The column by which answers are ranked."""
        return "value" if self.target is not None else f"p_{self.positive}"

    @property
    def other(self) -> str:
        """The first label that is not the positive one."""
        return next(label for label in self.labels if label != self.positive)


class PackagedModel(Record):
    """A packaged model: where it is, and its card."""

    folder: str
    card: Card

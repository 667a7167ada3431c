"""What a training leaves besides its weights: its epochs, and on what they were computed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, SerializerFunctionWrapHandler, model_serializer

from mammoscan.records.base import Record


class Device(Record):
    """Where a network computes.

    Attributes:
        kind: Processor or graphics card.
        name: As its maker calls it.
        memory_gb: None where the backend does not tell.
        cores: Of the processor, which also feeds a graphics card.
        backend: The Keras backend.
        place: The backend's own name for the device.
    """

    kind: Literal["cpu", "gpu"]
    name: str
    memory_gb: float | None
    cores: int
    backend: str
    place: str


class Epoch(Record):
    """The scores of one epoch; ``val_`` ones are None, and not written, where there are no validation rows.

    Numbers have no accuracy and no AUC. ``val_auc`` is NaN where the validation rows hold one label only.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    epoch: int
    loss: float
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_auc: float | None = None
    learning_rate: float
    seconds: float

    @model_serializer(mode="wrap")
    def _leave_out_what_was_not_measured(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}


class History(Record):
    """One training.

    Attributes:
        epochs: In order.
        best_epoch: The one whose weights the model has.
        stopped_early: Whether patience ran out before the last epoch.
        monitor: The score that chooses the epoch: ``loss``, ``accuracy`` or ``auc``.
        resumed_after: The epoch after which a killed training went on; None where it ran in one go.
        parameters: Of the whole network.
        network: Its name.
        engine: The training loop: a backend's, or Keras' ``fit``.
        precision: Of the computation.
        device: Where it was computed.
        images: How many the network learnt from.
        class_weights: Of each label in the loss, in order; None where all weigh the same.
        seconds: From the first to the last line of the training, compiling included.
        others: Of an ensemble, the trainings of its other networks; all fields but ``parameters`` and ``seconds``,
            which are the sums, are those of the first.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")

    epochs: list[Epoch]
    best_epoch: int
    stopped_early: bool
    monitor: str
    resumed_after: int | None
    parameters: int
    network: str
    engine: str
    precision: str
    device: Device
    images: int
    seconds: float
    others: tuple[History, ...] = ()
    class_weights: tuple[float, ...] | None = None


class Histories(Record):
    """The trainings of all folds of a study, in order."""

    folds: list[History]

    @property
    def epochs(self) -> list[int]:
        """How many epochs each fold ran."""
        return [len(history.epochs) for history in self.folds]

    @property
    def best_epochs(self) -> list[int]:
        """The epoch whose weights each fold kept."""
        return [history.best_epoch for history in self.folds]

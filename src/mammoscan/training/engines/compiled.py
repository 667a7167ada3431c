"""What the compiled engines share: whole epochs inside one function, images kept and gathered on the device.

Compiled programs, kept within a process.

Compiling costs as much as several epochs of a small network, and a run trains five to twelve times: a program is
compiled once and gets new weights by assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mammoscan.models import build_network
from mammoscan.models.outputs import PerSampleLoss, Task, build_loss
from mammoscan.models.preprocessing import Scale
from mammoscan.training.augmentation import AugmentationKind, read_augmentation
from mammoscan.training.engines.base import check_loss
from mammoscan.training.optimizers import OptimizerKind, read_optimizer, swap_average
from mammoscan.training.pixel_blocks import PixelBlocks
from mammoscan.training.setup import TrainingSetup

if TYPE_CHECKING:
    import keras


# Programs hold a model and its optimiser's state, so only some are kept.
_KEPT = 4


class ProgramKey(NamedTuple):
    """All that changes the compiled program; ``scale`` is None where features are read as they are."""

    network: str
    input_shape: tuple[int, ...]
    outputs: int
    optimizer: OptimizerKind
    loss: str
    label_smoothing: float
    scale: Scale | None
    precision: str
    random_views: bool
    augmentation: AugmentationKind | None
    frozen: bool
    place: str
    deterministic: bool
    task: Task = "classes"

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Of one image's target: a label's index or a number, or a value for each finding."""
        return (self.outputs,) if self.task == "findings" else ()

    def build_model(self) -> keras.Model:
        """Build the network; its weights are assigned later."""
        return build_network(
            self.network, self.input_shape, self.outputs, 0, precision=self.precision, task=self.task
        )

    def build_loss(self, width: int) -> PerSampleLoss:
        """Build the loss of a network with so many outputs."""
        return build_loss(self.loss, width, self.label_smoothing, self.task)

    @property
    def dtype(self) -> str:
        """Of the stored images or features."""
        return "float32" if self.scale is None else "uint8"


class Places(NamedTuple):
    """The places of an epoch's order.

    Attributes:
        rows: Where each image lies in the block on the device.
        targets: Its label, number or findings.
        weights: Its weight in the loss.
        views: Its view.
        warps: How it is warped; no rows where none is.
    """

    rows: NDArray[np.int32]
    targets: NDArray
    weights: NDArray[np.float32]
    views: NDArray[np.int32]
    warps: NDArray[np.float32]


class Program(Protocol):
    """A model, its optimiser, and the compiled functions that train it and predict with it."""

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    batch_size: int

    @property
    def variables(self) -> list[Any]:
        """All that the next batch depends on."""
        ...

    def reset(self, start: keras.Model, learning_rate: float) -> None:
        """Start anew with the weights and dropout seeds of ``start``."""
        ...

    def train(self, images: Any, places: Places, batch_size: int) -> tuple[float, float, int, float]:
        """Learn from batches of images, the last of which may be smaller.

        Args:
            images: Images or features, a tensor on the device.
            places: What is shown, in order.
            batch_size: Places that share one step.

        Returns:
            The sum of the losses, the number of correct predictions, the number of batches done and the last batch's
            loss; it ends with the first loss that is not finite.
        """
        ...

    def predict(self, images: Any, index: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the probabilities of images by their places."""
        ...


_idle: dict[ProgramKey, Program] = {}
_lock = Lock()


def lease_program(key: ProgramKey, build: Callable[[ProgramKey], Program]) -> Program:
    """Take an idle program out of the pool, or build one: two trainings never share one at a time."""
    with _lock:
        program = _idle.pop(key, None)
    return build(key) if program is None else program


def return_program(key: ProgramKey, program: Program) -> None:
    """Put a program back; the one that waited longest makes room."""
    with _lock:
        _idle[key] = program
        while len(_idle) > _KEPT:
            del _idle[next(iter(_idle))]


def choose_prediction_batch(input_shape: tuple[int, ...], wanted: int = 64) -> int:
    """Return a batch whose maps stay within some hundred megabytes, whatever the size of an image."""
    return max(1, min(wanted, 2**22 // int(np.prod(input_shape))))


# Of a GPU's memory each set of rows may take this share; weights and maps need the rest.
_SHARE = 0.2


class CompiledEngine:
    """Trains on a compiled program which is kept for the process's next training of the same shape."""

    name: str

    def __init__(self, setup: TrainingSetup) -> None:
        """Give the program the weights that a fresh network has, and the device its images."""
        import keras

        recipe = setup.recipe
        self._setup = setup
        self._key = ProgramKey(
            network=recipe.network.name,
            input_shape=setup.input_shape,
            outputs=setup.outputs,
            optimizer=read_optimizer(recipe),
            loss=recipe.loss,
            label_smoothing=recipe.label_smoothing,
            scale=setup.scale,
            precision=setup.precision,
            random_views=setup.random_views,
            augmentation=read_augmentation(recipe.augmentation),
            frozen=setup.starts_frozen,
            place=setup.device.place,
            deterministic=setup.deterministic,
            task=setup.task,
        )
        gigabytes = setup.device.memory_gb if setup.device.kind == "gpu" else None
        room = None if gigabytes is None else int(_SHARE * gigabytes * 1024**3)
        with keras.device(setup.device.place):
            self._fresh = setup.build_model()
            self._training, self._validation = (
                PixelBlocks(setup.pixels, rows, self._place_array, resident_bytes=room)
                for rows in (setup.training_rows, setup.validation_rows)
            )
        self._program = lease_program(self._key, self._build_program)
        self._program.reset(self._fresh, recipe.learning_rate)

    @staticmethod
    def _build_program(key: ProgramKey) -> Program:
        """Build a program of the backend."""
        raise NotImplementedError

    def _place_array(self, images: NDArray) -> Any:
        """Put an array on the device and return the backend's tensor."""
        raise NotImplementedError

    @property
    def model(self) -> keras.Model:
        """The model that learns, compiled so that callbacks find its optimiser."""
        model = self._program.model
        if getattr(model, "optimizer", None) is not self._program.optimizer:
            loss = self._key.build_loss(int(model.output_shape[-1]))
            model.compile(optimizer=self._program.optimizer, loss=loss, jit_compile=False)
        return model

    def enter_phase(self, frozen: bool, rate: float) -> None:
        """Go on with a fresh optimiser, and with the backbone frozen or not."""
        before, key = self._program, self._key
        if frozen == key.frozen:
            before.reset(before.model, rate)
            return
        self._key = key._replace(frozen=frozen)
        self._program = lease_program(self._key, self._build_program)
        self._program.reset(before.model, rate)
        return_program(key, before)

    def run_epoch(self, epoch: int) -> tuple[float, float]:
        """Train for one epoch; return its mean loss and its accuracy."""
        setup = self._setup
        batch_size = setup.recipe.batch_size
        order, views, warps = setup.draw_epoch(epoch)
        rows = setup.training_rows[order]
        targets, weights = setup.targets[rows], setup.weights[rows]
        loss = correct = 0.0
        for block in self._training.iterate(order, batch_size):
            part = slice(block.first, block.first + len(block.places))
            places = Places(block.places, targets[part], weights[part], views[part], warps[part])
            block_loss, block_correct, batch, last_loss = self._program.train(
                block.images, places, batch_size
            )
            check_loss(last_loss, epoch, block.first // batch_size + batch)
            loss, correct = loss + block_loss, correct + block_correct
        return loss / len(order), correct / len(order)

    def predict_validation(self) -> NDArray[np.float32]:
        """Return the probabilities of the validation rows."""
        order = np.arange(len(self._validation))
        return np.concatenate(
            [
                self._program.predict(block.images, block.places)
                for block in self._validation.iterate(order, self._program.batch_size)
            ]
        )

    def read_rate(self) -> float:
        """Return the present learning rate."""
        return float(self._program.optimizer.learning_rate.numpy())

    def write_rate(self, rate: float) -> None:
        """Set the learning rate of the next batches."""
        self._program.optimizer.learning_rate.assign(rate)

    def swap_average(self) -> None:
        """Exchange the weights with their moving average, where the recipe keeps one."""
        swap_average(self._program.model, self._program.optimizer)

    def read_weights(self) -> list[NDArray]:
        """Return the model's present weights."""
        return self._program.model.get_weights()

    def read_state(self) -> list[NDArray]:
        """Return weights, dropout's seeds and the optimiser."""
        return [np.array(variable.numpy()) for variable in self._program.variables]

    def write_state(self, state: list[NDArray]) -> None:
        """Go back to a state that ``read_state`` returned."""
        for variable, value in zip(self._program.variables, state, strict=True):
            variable.assign(value)

    def release_model(self, weights: list[NDArray]) -> keras.Model:
        """Return a model of its own with these weights."""
        self._fresh.set_weights(weights)
        return self._fresh

    def close(self) -> None:
        """Leave the program to the next training."""
        return_program(self._key, self._program)

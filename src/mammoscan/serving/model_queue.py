"""A bounded queue of images in front of the model, which is called with as many as wait."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier


Outcome = TypeVar("Outcome")

# How much the last call counts in the running mean of an image's time.
_SHARE_OF_LAST = 0.2


@dataclass(frozen=True)
class Prediction:
    """The model's answer about one image.

    Attributes:
        row: The image's row of what ``Classifier.classify`` returns.
        heat: float32 ``[H, W]`` in 0 to 1, or None where none was wanted.
    """

    row: Mapping[Any, Any]
    heat: NDArray[np.float32] | None


class QueueFullError(Exception):
    """The queue is full.

    Attributes:
        seconds: After how many it is worth trying again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; try again in {seconds} s")
        self.seconds = seconds


@dataclass
class _Job:
    pixels: NDArray[np.uint8]
    explain: bool
    prediction: asyncio.Future[Prediction]


class ModelQueue:
    """Gives images to the model, as many a call as wait when it becomes free.

    Nothing waits for a call to fill up: an image that comes alone is classified at once. All methods are for the
    event loop's thread; the model itself runs in one thread of its own.
    """

    def __init__(self, classifier: Classifier, *, batch: int, waiting: int) -> None:
        """Set the sizes.

        Args:
            classifier: The model.
            batch: Maximum number of images in one call.
            waiting: Maximum number of images at one time, in all states.
        """
        self._classifier = classifier
        self._batch = batch
        self._room = waiting
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._seconds_per_image = 0.0
        self._worker: asyncio.Task[None] | None = None
        self.images = 0
        self.calls = 0
        self.inside = 0

    def start(self) -> None:
        """Begin to work; there must be a running event loop."""
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop after the call that is running."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        await asyncio.to_thread(self._thread.shutdown)

    @contextmanager
    def reserve(self, images: int) -> Iterator[None]:
        """Hold room for images whose files have arrived, or raise ``QueueFullError``."""
        self.check_room(images)
        self.inside += images
        try:
            yield
        finally:
            self.inside -= images

    def check_room(self, images: int = 1) -> None:
        """Raise ``QueueFullError`` where there is no room for so many images now."""
        if self.inside + images > self._room:
            raise QueueFullError(self._guess_seconds())

    async def classify(self, pixels: NDArray[np.uint8], explain: bool) -> Prediction:
        """Return the model's answer about one image ``[H, W, C]``."""
        job = _Job(pixels, explain, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        return await job.prediction

    async def run(self, call: Callable[[], Outcome]) -> Outcome:
        """Return the result of another call that needs the model; no two run at one time."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _guess_seconds(self) -> int:
        return min(60, max(1, math.ceil(self.inside * self._seconds_per_image)))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            jobs = [await self._jobs.get()]
            while len(jobs) < self._batch and not self._jobs.empty():
                jobs.append(self._jobs.get_nowait())
            # Its client may have disconnected, or its time may be over.
            jobs = [job for job in jobs if not job.prediction.done()]
            if not jobs:
                continue
            started = time.perf_counter()
            try:
                predictions = await loop.run_in_executor(self._thread, self._classify, jobs)
            except Exception as error:
                for job in jobs:
                    if not job.prediction.done():
                        job.prediction.set_exception(error)
                continue
            self._note_speed((time.perf_counter() - started) / len(jobs), len(jobs))
            for job, prediction in zip(jobs, predictions, strict=True):
                if not job.prediction.done():
                    job.prediction.set_result(prediction)

    def _classify(self, jobs: Sequence[_Job]) -> list[Prediction]:
        table = self._classifier.classify(np.stack([job.pixels for job in jobs]))
        return [
            Prediction(row, self._classifier.explain(job.pixels, row["label"]) if job.explain else None)
            for job, row in zip(jobs, table.to_dict("records"), strict=True)
        ]

    def _note_speed(self, seconds: float, images: int) -> None:
        former = self._seconds_per_image
        self._seconds_per_image = seconds if not former else former + _SHARE_OF_LAST * (seconds - former)
        self.images += images
        self.calls += 1

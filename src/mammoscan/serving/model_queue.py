"""Images on their way to the model: so many at a time, and one call of the model after another."""

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
class Verdict:
    """What the model says of one image.

    Attributes:
        row: The image's row of the model's answer.
        heat: float32 ``[H, W]`` in 0 to 1, or None where none was asked for.
    """

    row: Mapping[Any, Any]
    heat: NDArray[np.float32] | None


class FullError(Exception):
    """There is no room for more images now.

    Attributes:
        seconds: After how many it is worth asking again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the service is busy; ask again in {seconds} s")
        self.seconds = seconds


@dataclass
class _Job:
    pixels: NDArray[np.uint8]
    explain: bool
    verdict: asyncio.Future[Verdict]


class ModelQueue:
    """Gives images to the model, as many a call as wait when it becomes free.

    Nothing waits for a call to fill up: an image that comes alone is classified at once. All methods are for the
    event loop's thread; the model itself runs in one thread of its own.
    """

    def __init__(self, classifier: Classifier, *, batch: int, waiting: int) -> None:
        """Take what classifies.

        Args:
            classifier: What answers.
            batch: Most images of one call.
            waiting: Most images at one time, in all states.
        """
        self._classifier = classifier
        self._batch = batch
        self._room = waiting
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._seconds_an_image = 0.0
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
    def enter(self) -> Iterator[Callable[[int], None]]:
        """Take room for one image, or raise ``FullError``; the yielded function takes room for more."""
        taken = 0

        def take(images: int) -> None:
            nonlocal taken
            if self.inside + images > self._room:
                raise FullError(self._guess_seconds())
            self.inside += images
            taken += images

        take(1)
        try:
            yield take
        finally:
            self.inside -= taken

    async def ask(self, pixels: NDArray[np.uint8], explain: bool) -> Verdict:
        """Return what the model says of one image ``[H, W, C]``."""
        job = _Job(pixels, explain, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        return await job.verdict

    async def run(self, call: Callable[[], Outcome]) -> Outcome:
        """Return what a call of another kind gives; it too has the model to itself."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _guess_seconds(self) -> int:
        return min(60, max(1, math.ceil(self.inside * self._seconds_an_image)))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            jobs = [await self._jobs.get()]
            while len(jobs) < self._batch and not self._jobs.empty():
                jobs.append(self._jobs.get_nowait())
            # Whoever asked may have gone, or run out of time.
            jobs = [job for job in jobs if not job.verdict.done()]
            if not jobs:
                continue
            started = time.perf_counter()
            try:
                verdicts = await loop.run_in_executor(self._thread, self._judge, jobs)
            except Exception as error:
                for job in jobs:
                    if not job.verdict.done():
                        job.verdict.set_exception(error)
                continue
            self._note_speed((time.perf_counter() - started) / len(jobs), len(jobs))
            for job, verdict in zip(jobs, verdicts, strict=True):
                if not job.verdict.done():
                    job.verdict.set_result(verdict)

    def _judge(self, jobs: Sequence[_Job]) -> list[Verdict]:
        table = self._classifier.classify(np.stack([job.pixels for job in jobs]))
        return [
            Verdict(row, self._classifier.explain(job.pixels, row["label"]) if job.explain else None)
            for job, row in zip(jobs, table.to_dict("records"), strict=True)
        ]

    def _note_speed(self, seconds: float, images: int) -> None:
        former = self._seconds_an_image
        self._seconds_an_image = seconds if not former else former + _SHARE_OF_LAST * (seconds - former)
        self.images += images
        self.calls += 1

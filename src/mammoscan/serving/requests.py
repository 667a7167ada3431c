"""From a request's files to the answers about them.

One request's way: its files in, within its time, and its answer out as long as somebody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from fastapi import HTTPException, Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile

from mammoscan.errors import MammoscanError
from mammoscan.serving.image_reader import Picture, read_picture
from mammoscan.serving.limits import ServiceLimits
from mammoscan.serving.model_queue import ModelQueue, Verdict
from mammoscan.serving.pictures import colour_heat, encode_picture
from mammoscan.serving.scan_prediction import answer_scan
from mammoscan.serving.schemas import ImageAnswer

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier


Answer = TypeVar("Answer")


@asynccontextmanager
async def receive_files(
    request: Request, limits: ServiceLimits, deadline: float
) -> AsyncIterator[list[UploadFile]]:
    """Yield the files of a request, which are gone afterwards.

    Args:
        request: With a body of ``multipart/form-data``.
        limits: How many files there may be.
        deadline: The event loop's time by which they must be here.
    """
    try:
        async with asyncio.timeout_at(deadline):
            form = await request.form(max_files=limits.images)
    except TimeoutError as error:
        raise HTTPException(
            408, f"the images did not arrive within {limits.seconds:g} s: send fewer at once"
        ) from error
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise HTTPException(
                422, "found no file, expected multipart/form-data with one or more in the field 'images'"
            )
        yield files
    finally:
        await form.close()


async def finish_work(
    request: Request, work: Coroutine[None, None, Answer], limits: ServiceLimits, deadline: float
) -> Answer:
    """Return what the work gives, or end it when its time is over or whoever asked has gone."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_wait_until_gone(request))
    try:
        left = deadline - asyncio.get_running_loop().time()
        await asyncio.wait({working, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if leaving.done():
            raise HTTPException(499, "whoever asked has gone")
        raise HTTPException(
            503,
            f"there was no answer within {limits.seconds:g} s: send fewer images at once, or later",
            {"Retry-After": str(math.ceil(limits.seconds))},
        )
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})


async def drop_body(request: Request, deadline: float) -> None:
    """Read what is still coming: a client that is cut off while it sends never sees the answer."""
    with contextlib.suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout_at(deadline):
            async for _ in request.stream():
                pass


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


logger = logging.getLogger("mammoscan.serving")

# Pictures that are unpacked at one time; each may take some hundred megabytes.
_READERS = 2


class Intake:
    """Reads files, has the model judge them and puts the answers together."""

    def __init__(self, classifier: Classifier, queue: ModelQueue, limits: ServiceLimits) -> None:
        self._classifier = classifier
        self._queue = queue
        self._limits = limits.picture
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

    async def stop(self) -> None:
        """Give the threads back."""
        await asyncio.to_thread(self._readers.shutdown)

    async def answer_files(self, files: Sequence[UploadFile], explain: bool) -> list[ImageAnswer]:
        """Return an answer a file, in the files' order; a bad file's says why."""
        return await asyncio.gather(*(self._answer_file(file, explain) for file in files))

    async def _answer_file(self, file: UploadFile, explain: bool) -> ImageAnswer:
        name = file.filename or "image"
        loop = asyncio.get_running_loop()
        try:
            picture = await loop.run_in_executor(self._readers, self._read, file, name)
            if self._classifier.is_whole_scan(picture):
                return await self._queue.run(lambda: answer_scan(self._classifier, picture, explain))
            pixels, notes = await loop.run_in_executor(self._readers, self._classifier.prepare, picture)
        except MammoscanError as error:
            return ImageAnswer(name=name, error=error.message)
        except Exception as error:
            # A decoder that stumbles over what a stranger sent must not take the other files' answers along.
            logger.exception("an image could not be prepared")
            return ImageAnswer(
                name=name, error=f"{name} cannot be read: {type(error).__name__}; see the service's log"
            )
        verdict = await self._queue.ask(pixels, explain)
        return await loop.run_in_executor(self._readers, self._compose, name, pixels, notes, verdict)

    def _read(self, file: UploadFile, name: str) -> Picture:
        return read_picture(file.file.read(), name, self._limits)

    def _compose(
        self, name: str, pixels: NDArray[np.uint8], notes: list[str], verdict: Verdict
    ) -> ImageAnswer:
        row, card = verdict.row, self._classifier.card
        two = card.is_binary
        heat = verdict.heat
        return ImageAnswer(
            name=name,
            label=row["label"],
            probabilities={label: round(float(row[f"p_{label}"]), 6) for label in card.labels},
            positive=card.positive if two else None,
            threshold=card.threshold if two else None,
            warnings=list(row["warnings"]),
            notes=notes,
            seen=None if heat is None else encode_picture(pixels),
            heat_map=None if heat is None else encode_picture(colour_heat(heat)),
        )

"""One request: receive its files, answer about each of them, stop when the client disconnects."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mammoscan.errors import MammoscanError
from mammoscan.serving.classifier import OUT_OF_DISTRIBUTION_WARNING
from mammoscan.serving.limits import ServiceLimits
from mammoscan.serving.model_queue import ModelQueue, Prediction
from mammoscan.serving.pictures import colour_heat, encode_picture
from mammoscan.serving.prepare_input import PreparedImage
from mammoscan.serving.scan_prediction import SHOWN_SIDE, answer_scan
from mammoscan.serving.schemas import ImageAnswer

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier


Answer = TypeVar("Answer")

logger = logging.getLogger("mammoscan.serving")


class _CompleteForm(MultiPartParser):
    """A form parser that knows whether the closing boundary has come."""

    is_complete = False

    def on_end(self) -> None:
        self.is_complete = True


@asynccontextmanager
async def receive_files(
    request: Request, limits: ServiceLimits, deadline: float
) -> AsyncIterator[list[UploadFile]]:
    """Yield the files of a request, which are deleted afterwards.

    Args:
        request: With a body of ``multipart/form-data``.
        limits: How many files there may be.
        deadline: The event loop's time by which they must have arrived.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise _no_file()
    parser = _CompleteForm(
        request.headers, request.stream(), max_files=limits.images, max_fields=limits.images
    )
    try:
        async with asyncio.timeout_at(deadline):
            form = await parser.parse()
    except TimeoutError as error:
        raise HTTPException(
            408, f"the images did not arrive within {limits.seconds:g} s: send fewer at once"
        ) from error
    except (MultiPartException, KeyError) as error:
        raise HTTPException(400, f"the body is no valid form: {getattr(error, 'message', error)}") from error
    try:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not parser.is_complete:
            raise HTTPException(
                400, f"the form is cut off in or after file {len(files)}: its closing boundary is missing"
            )
        if not files:
            raise _no_file()
        yield files
    finally:
        await form.close()


def _no_file() -> HTTPException:
    return HTTPException(
        422, "found no file, expected multipart/form-data with one or more in the field 'images'"
    )


async def finish_work(
    request: Request, work: Coroutine[None, None, Answer], limits: ServiceLimits, deadline: float
) -> Answer:
    """Return the result of the work, or cancel it when its time is over or its client disconnects."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_wait_for_disconnect(request))
    try:
        left = deadline - asyncio.get_running_loop().time()
        await asyncio.wait({working, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if leaving.done():
            logger.warning("a client disconnected before its answer was ready")
            raise HTTPException(499, "client disconnected")
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


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Decoder(Protocol):
    """What makes image files ready: ``DecodePool``, or anything like it."""

    workers: int

    def prepare(self, content: bytes, name: str, preview: int = 0) -> PreparedImage:
        """See ``DecodePool.prepare``."""

    def view(self, content: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        """See ``DecodePool.view``."""

    def close(self) -> None:
        """End its processes."""


class Predictor:
    """Decodes the files of a request, has the model classify them and puts the answers together."""

    def __init__(self, classifier: Classifier, queue: ModelQueue, decoder: Decoder) -> None:
        self._classifier = classifier
        self._queue = queue
        self._decoder = decoder
        self._threads = ThreadPoolExecutor(decoder.workers, thread_name_prefix="decode")

    async def stop(self) -> None:
        """End the threads and the processes."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self._decoder.close)

    async def answer_files(self, files: Sequence[UploadFile], explain: bool) -> list[ImageAnswer]:
        """Return one answer per file, in the files' order; a bad file's says why."""
        return await asyncio.gather(*(self._answer_file(file, explain) for file in files))

    async def view_file(self, file: UploadFile) -> tuple[dict[str, Any], bytes]:
        """Return a file's original pixels; see ``DecodePool.view``."""
        name = file.filename or "image"
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: self._decoder.view(file.file.read(), name)
        )

    async def _answer_file(self, file: UploadFile, explain: bool) -> ImageAnswer:
        name = file.filename or "image"
        loop = asyncio.get_running_loop()
        try:
            image, digest = await loop.run_in_executor(self._threads, self._prepare, file, name, explain)
            if image.scan is not None:
                answer = await self._queue.run(lambda: answer_scan(self._classifier, image, explain))
                return answer.model_copy(update={"sha256": digest})
        except MammoscanError as error:
            return ImageAnswer(name=name, error=error.message)
        except Exception as error:
            # An error in our own code must not take the other files' answers along.
            logger.exception("an image could not be prepared")
            return ImageAnswer(
                name=name, error=f"{name} cannot be read: {type(error).__name__}; see the service's log"
            )
        assert image.pixels is not None
        prediction = await self._queue.classify(image.pixels, explain)
        answer = await loop.run_in_executor(self._threads, self._compose, image, prediction)
        return answer.model_copy(update={"sha256": digest})

    def _prepare(self, file: UploadFile, name: str, explain: bool) -> tuple[PreparedImage, str]:
        content = file.file.read()
        image = self._decoder.prepare(content, name, SHOWN_SIDE if explain else 0)
        return image, hashlib.sha256(content).hexdigest()

    def _compose(self, image: PreparedImage, prediction: Prediction) -> ImageAnswer:
        row, card = prediction.row, self._classifier.card
        two, heat = card.is_binary, prediction.heat
        assert image.pixels is not None
        warnings = list(row["warnings"])
        return ImageAnswer(
            name=image.name,
            label=row["label"],
            probabilities={label: round(float(row[f"p_{label}"]), 6) for label in card.labels},
            positive=card.positive if two else None,
            threshold=card.threshold if two else None,
            out_of_distribution=any(text.startswith(OUT_OF_DISTRIBUTION_WARNING) for text in warnings),
            warnings=[*warnings, *image.warnings],
            notes=image.notes,
            seen=None
            if heat is None
            else encode_picture(image.pixels[..., :1] if card.input.kind == "window" else image.pixels),
            heat_map=None
            if heat is None
            else encode_picture(colour_heat(heat, warm=not two or row["label"] == card.positive)),
        )

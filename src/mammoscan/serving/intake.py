"""From a request's files to the answers about them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from starlette.datastructures import UploadFile

from mammoscan.errors import MammoscanError
from mammoscan.serving.answers import ImageAnswer
from mammoscan.serving.drawing import colour_heat, encode_picture
from mammoscan.serving.limits import ServiceLimits
from mammoscan.serving.queueing import ModelQueue, Verdict
from mammoscan.serving.reading import Picture, read_picture
from mammoscan.serving.scan_answers import answer_scan

if TYPE_CHECKING:
    from mammoscan.serving.classifier import Classifier

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
        two = len(card["labels"]) == 2
        heat = verdict.heat
        return ImageAnswer(
            name=name,
            label=row["label"],
            probabilities={label: round(float(row[f"p_{label}"]), 6) for label in card["labels"]},
            positive=card["positive"] if two else None,
            threshold=float(card["threshold"]) if two else None,
            warnings=list(row["warnings"]),
            notes=notes,
            seen=None if heat is None else encode_picture(pixels),
            heat_map=None if heat is None else encode_picture(colour_heat(heat)),
        )

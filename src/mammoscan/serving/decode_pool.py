"""Decode image files that come from outside in worker processes with limits on memory and time."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits
from mammoscan.records.card import ModelInput
from mammoscan.serving.decode_worker import Message, read_message, unpack_arrays, write_message
from mammoscan.serving.prepare_input import PreparedImage, PreparedScan

MEMORY = 900_000_000
SECONDS = 10.0
# An idle machine needs half a second.
START_SECONDS = 60.0
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mammoscan.serving.decode_worker import main; main()"
)


class DecodePool:
    """Warm worker processes, one image file each at a time. Its methods may be called from several threads."""

    def __init__(
        self,
        takes: ModelInput,
        limits: Limits | None = None,
        *,
        workers: int = 2,
        memory: int = MEMORY,
        seconds: float = SECONDS,
    ) -> None:
        """Start the workers.

        Args:
            takes: What the network takes.
            limits: Of an image file; None means the defaults.
            workers: How many files are decoded at one time.
            memory: Bytes that decoding one file may take.
            seconds: How long it may take.
        """
        self._takes = takes.model_dump(mode="json")
        self._limits = limits or Limits()
        self._seconds = seconds
        self._memory = memory
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self.workers = workers
        self._closed = False
        for _ in range(workers):
            self._idle.put(_Worker(memory))

    def prepare(self, content: bytes, name: str, preview: int = 0) -> PreparedImage:
        """Decode a file and make it ready for the network.

        Args:
            content: The whole file.
            name: What errors call it.
            preview: Longest side of a whole scan's small picture; 0 means none.

        Raises:
            MammoscanError: The file cannot be used, or costs more than is allowed.
        """
        header = {"takes": self._takes, "preview": preview}
        message = self._ask("prepare", content, name, header)
        arrays, found = unpack_arrays(message), message[0]
        pixels = arrays.get("pixels")
        if pixels is not None and pixels.shape != tuple(self._takes["shape"]):
            raise MammoscanError(
                f"{name} was decoded to {list(pixels.shape)}, expected {self._takes['shape']}"
            )
        scan = None
        if found["size"]:
            height, width = found["size"]
            others = tuple(array for name, array in arrays.items() if name.startswith("other_"))
            scan = PreparedScan(arrays["grid"], arrays["mask"], height, width, others, arrays.get("preview"))
        return PreparedImage(name, pixels, scan, found["notes"], found["warnings"])

    def view(self, content: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        """Return a file's original pixels for a page that changes their window; see ``encode_original``."""
        view, (png,) = self._ask("view", content, name, {})
        return view, png

    def shrink(self, content: bytes, name: str) -> bytes:
        """Return a file's thumbnail as PNG."""
        return self._ask("shrink", content, name, {})[1][0]

    def close(self) -> None:
        """End the workers."""
        self._closed = True
        for _ in range(self.workers):
            self._idle.get().end()

    def __enter__(self) -> DecodePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, task: str, content: bytes, name: str, header: dict[str, Any]) -> Message:
        if len(content) > self._limits.bytes:  # before it is sent anywhere
            raise MammoscanError(
                f"{name} has {len(content):,} bytes, expected at most {self._limits.bytes:,}"
            )
        header = {"task": task, "name": name, "limits": asdict(self._limits), **header}
        with self._worker() as worker:
            try:
                message = worker.ask(header, content, self._seconds)
            except EOFError:
                reason = (
                    f"takes longer than the {self._seconds:g} s that decoding may take: make it smaller"
                    if worker.timed_out
                    else "makes its decoder crash: get the file again, or convert it"
                )
                raise MammoscanError(f"{name} {reason}") from None
        if "error" in message[0]:
            raise MammoscanError(message[0]["error"])
        return message

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._idle.get()
        try:
            yield worker
        finally:
            if worker.broken and not self._closed:
                worker.end()
                worker = _Worker(self._memory)
            self._idle.put(worker)


class _Worker:
    """One process. After an error in the exchange it is ``broken`` and must be replaced."""

    def __init__(self, memory: int) -> None:
        self.broken = self.timed_out = self._ready = False
        self._process = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # One thread for each library: more would cost memory for each core.
            env=os.environ
            | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._send({"memory": memory}, [])

    def ask(self, header: dict[str, Any], content: bytes, seconds: float) -> Message:
        """Return the answer; ``EOFError`` if there is none within the time."""
        try:
            if not self._ready:
                with self._time_limit(START_SECONDS):
                    read_message(self._from)
                self._ready = True
            with self._time_limit(seconds):
                self._send(header, [content])
                return read_message(self._from)
        except BaseException as error:
            self.broken = True
            raise EOFError from error

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._to, self._from):
            with contextlib.suppress(OSError):
                stream.close()

    def _send(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        with contextlib.suppress(OSError):  # a worker that has ended is found when its answer is read
            write_message(self._to, header, blobs)

    @contextmanager
    def _time_limit(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _stop(self) -> None:
        self.timed_out = True
        self._process.kill()

"""The process in which image files are decoded: it holds no model, may use little memory and is killed when it hangs.

A message is a JSON object and byte strings; nothing that comes back is unpickled, so that an attacker who takes over a
decoder gains no more than this process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
import sys
import warnings
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits, read_picture
from mammoscan.records.card import ModelInput
from mammoscan.serving.original_view import encode_original
from mammoscan.serving.prepare_input import prepare_image

THUMBNAIL_SIDE = 192
# More than any answer holds: what claims more comes from a decoder gone wrong.
MAX_MESSAGE = 1 << 30

Message = tuple[dict[str, Any], list[bytes]]


def write_message(stream: IO[bytes], header: dict[str, Any], blobs: list[bytes]) -> None:
    """Send an object and byte strings."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    stream.write(struct.pack(">I", len(text)) + text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def read_message(stream: IO[bytes]) -> Message:
    """Receive what ``write_message`` sent; raises ``EOFError`` where the other side has ended."""
    (length,) = struct.unpack(">I", _read_exactly(stream, 4))
    header = json.loads(_read_exactly(stream, length))
    sizes = header.pop("blobs")
    if sum(sizes) > MAX_MESSAGE or min(sizes, default=0) < 0:
        raise EOFError
    return header, [_read_exactly(stream, size) for size in sizes]


def pack_arrays(**arrays: NDArray | None) -> Message:
    """Return arrays as a message; None stays None."""
    kept = {name: np.ascontiguousarray(array) for name, array in arrays.items() if array is not None}
    layout = {name: [array.dtype.str, list(array.shape)] for name, array in kept.items()}
    return {"arrays": layout}, [array.tobytes() for array in kept.values()]


def unpack_arrays(message: Message) -> dict[str, NDArray]:
    """Return the arrays of a message by name."""
    header, blobs = message
    return {
        name: np.frombuffer(blob, np.dtype(kind)).reshape(shape)
        for (name, (kind, shape)), blob in zip(header["arrays"].items(), blobs, strict=True)
    }


def main() -> None:
    """Answer messages from stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    questions = sys.stdin.buffer
    with contextlib.suppress(EOFError, BrokenPipeError):
        setup, _ = read_message(questions)
        _warm_up()
        limit_memory(setup["memory"])
        write_message(answers, {"ready": True}, [])
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # image libraries print what a file makes them print
        while True:
            header, (content,) = read_message(questions)
            write_message(answers, *_answer(header, content, setup["memory"]))


def _answer(header: dict[str, Any], content: bytes, memory: int) -> Message:
    name = header["name"]
    try:
        return TASKS[header["task"]](content, header)
    except MammoscanError as error:
        return {"error": error.message}, []
    except MemoryError:
        return {
            "error": f"{name} takes more than the {memory / 1e6:.0f} MB that decoding may use: make it smaller"
        }, []
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return {"error": f"{name} cannot be read: {reason}; get the file again"}, []


def _prepare(content: bytes, header: dict[str, Any]) -> Message:
    image = prepare_image(
        content, header["name"], ModelInput(**header["takes"]), Limits(**header["limits"]), header["preview"]
    )
    scan = image.scan
    arrays, blobs = pack_arrays(
        pixels=image.pixels,
        grid=scan.grid if scan else None,
        mask=scan.mask if scan else None,
        preview=scan.preview if scan else None,
        **{f"other_{number}": grid for number, grid in enumerate(scan.others if scan else ())},
    )
    return {
        **arrays,
        "notes": image.notes,
        "warnings": image.warnings,
        "size": [scan.height, scan.width] if scan else None,
    }, blobs


def _view(content: bytes, header: dict[str, Any]) -> Message:
    view, png = encode_original(content, header["name"], Limits(**header["limits"]))
    return view, [png]


def _shrink(content: bytes, header: dict[str, Any]) -> Message:
    array = read_picture(content, header["name"], Limits(**header["limits"])).array
    if array.dtype != np.uint8:
        array = (array.astype(np.float32) * (255 / max(int(array.max()), 1))).astype(np.uint8)
    image = Image.fromarray(array)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    png = io.BytesIO()
    image.save(png, "PNG")
    return {}, [png.getvalue()]


TASKS = {"prepare": _prepare, "view": _view, "shrink": _shrink}


def _warm_up() -> None:
    """Load what decoding needs, before the memory is limited and before anybody waits."""
    import pydicom.pixels  # noqa: F401

    with contextlib.suppress(ImportError):  # of those who read NIfTI files
        import nibabel  # noqa: F401
    Image.init()


def limit_memory(allowed: int) -> None:
    """Let this process take so many bytes more than it has; where the system cannot, only its time is limited."""
    try:
        import resource
        from pathlib import Path

        status = Path("/proc/self/status").read_text(encoding="utf-8")
        used = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = used + allowed
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError, StopIteration):
        return


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content

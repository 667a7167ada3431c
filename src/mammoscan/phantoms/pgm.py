"""Writing a scan as the portable graymap that mini-MIAS uses."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


def make_header(height: int, width: int) -> bytes:
    """Return the header in exactly the published form."""
    return f"P5\n{width} {height}\n255\n".encode("ascii")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a file of this name is always whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


def write_pgm(path: Path, scan: np.ndarray) -> None:
    """Write a uint8 scan as binary PGM, whole or not at all."""
    write_whole(path, make_header(*scan.shape) + scan.tobytes())

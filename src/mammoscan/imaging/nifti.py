"""Read one slice in a NIfTI file (``.nii``, ``.nii.gz``), as anatomy stores it and not as a screen does."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits, check_size

# Marks of a header: their place and bytes, in both versions of the format.
MARKS = ((344, b"n+1\0"), (4, b"n+2\0"))
GZIP = b"\x1f\x8b"
HEADER_BYTES = 1_000_000
# The widest number that a pixel may be stored in.
PIXEL_BYTES = 8


def is_nifti(content: bytes, name: str) -> bool:
    """Tell whether a file is NIfTI by its mark, also if it is compressed, or is called so."""
    start = _inflate_start(content) if content[:2] == GZIP else content
    return any(start[place : place + 4] == mark for place, mark in MARKS) or name.lower().endswith(
        (".nii", ".nii.gz")
    )


def read_nifti(content: bytes, name: str, limits: Limits) -> tuple[NDArray, list[str]]:
    """Read the one slice of a NIfTI file, turned as its header says: right is right, head or front is up.

    Args:
        content: The whole file.
        name: What errors call it.
        limits: Of the slice; what a compressed file unpacks to is bounded by them, too.

    Returns:
        uint8 ``[H, W]`` where the file holds bytes or says what is black and what white, else uint16 over the whole
        range of its values; and what was converted, in sentences.
    """
    try:
        import nibabel
    except ImportError as error:
        raise MammoscanError(
            f"{name} is a NIfTI file, for which the package nibabel is missing: pip install nibabel"
        ) from error
    try:
        plain = _inflate(content, name, limits) if content[:2] == GZIP else content
        kind = nibabel.Nifti2Image if plain[4:8] == MARKS[1][1] else nibabel.Nifti1Image
        image = kind.from_bytes(plain)
        shape = image.shape
        if len(shape) < 2 or sum(length > 1 for length in shape) > 2:
            raise MammoscanError(
                f"{name} holds {' x '.join(map(str, shape))} values, expected one slice: save the slice you need"
            )
        sides = [length for length in shape if length > 1] or [1]
        check_size(name, sides[0], sides[-1] if len(sides) > 1 else 1, limits)
        return _show(nibabel.as_closest_canonical(image) if len(shape) == 3 else image, name)
    except (MammoscanError, MemoryError):
        raise
    # Every field of a header can hold any number.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MammoscanError(f"{name} cannot be read as NIfTI: {reason}; get the file again") from error


def _show(image: Any, name: str) -> tuple[NDArray, list[str]]:
    values = np.asarray(image.dataobj)
    if values.dtype.kind not in "uif":
        raise MammoscanError(f"{name} has pixels of {values.dtype}, expected grey levels: convert it")
    # Both axes keep their order: the first to the right, the second upwards.
    flat = values.reshape([length for length in values.shape if length > 1])
    turned = np.ascontiguousarray(flat.T[::-1])
    if turned.dtype == np.uint8:
        return turned, []
    grey = turned.astype(np.float64)
    if not np.isfinite(grey).all():
        raise MammoscanError(f"{name} has grey levels that are not numbers, expected finite ones: convert it")
    black, white = float(image.header["cal_min"]), float(image.header["cal_max"])
    if white > black:
        shares = np.clip((grey - black) / (white - black), 0, 1)
        return np.rint(shares * 255).astype(np.uint8), [
            f"displayed from {black:g} to {white:g} as the file says, in 8 bits"
        ]
    lowest, highest = grey.min(), grey.max()
    shares = (grey - lowest) / max(highest - lowest, 1e-9)
    return np.rint(shares * 65535).astype(np.uint16), [
        f"no display range in the file: its values from {lowest:g} to {highest:g} were taken as black to white"
    ]


def _inflate_start(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content[:4096], 352)
    except zlib.error:
        return b""


def _inflate(content: bytes, name: str, limits: Limits) -> bytes:
    allowed = PIXEL_BYTES * limits.pixels + HEADER_BYTES
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    plain = inflater.decompress(content, allowed)
    if inflater.unconsumed_tail:
        raise MammoscanError(
            f"{name} unpacks to more than {allowed:,} bytes, expected one slice: save the one you need"
        )
    return plain

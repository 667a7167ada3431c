"""Decode image files; whatever the bytes are, the outcome is a picture or a one-line error."""

from __future__ import annotations

import io
import re
import warnings as python_warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mammoscan.errors import MammoscanError

EXPECTED = "expected PNG, JPEG, PGM, TIFF or DICOM"
SUFFIXES = (".png", ".jpg", ".jpeg", ".pgm", ".tif", ".tiff", ".dcm", ".dicom")

_KINDS = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg", "PPM": "pgm", "TIFF": "tiff"}
_EXIF_ORIENTATION = 274


# Pillow reads plain (text) PGM in Python: about 0.7 s per megabyte.
MAX_TEXT_BYTES = 8_000_000


@dataclass(frozen=True)
class Limits:
    """How large an image file may be: a few kilobytes can hold an image that fills the memory.

    Attributes:
        bytes: Maximum size of the file.
        pixels: Maximum number of pixels, checked in the header before anything is unpacked.
        ratio: Maximum ratio of the longer side to the shorter one: a whole scan is padded to a square.
    """

    bytes: int = 100_000_000
    pixels: int = 50_000_000
    ratio: float = 8.0


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Attributes:
        array: uint8 or uint16 ``[H, W]`` (grey) or uint8 ``[H, W, 3]`` (RGB).
        kind: ``png``, ``jpeg``, ``pgm``, ``tiff`` or ``dicom``.
        notes: What was converted while reading, in sentences.
        name: The file's name.
        content: The file's bytes, for models whose training images are decoded and resized in one step.
    """

    array: NDArray[np.uint8] | NDArray[np.uint16]
    kind: str
    notes: list[str] = field(default_factory=list)
    name: str = "picture"
    content: bytes = field(default=b"", repr=False)


def read_picture(content: bytes, name: str, limits: Limits | None = None) -> Picture:
    """Decode an image file; its content decides the format, not its name.

    Returns:
        The picture, upright, with a note for each conversion.

    Raises:
        MammoscanError: The file is no supported image, or exceeds the limits.
    """
    limits = limits or Limits()
    if not content:
        raise MammoscanError(f"{name} is empty, {EXPECTED}")
    if len(content) > limits.bytes:
        raise MammoscanError(f"{name} has {len(content):,} bytes, expected at most {limits.bytes:,}")
    if is_dicom(content, name):
        from mammoscan.serving.dicom import read_dicom

        array, notes = read_dicom(content, name, limits)
        return Picture(array, "dicom", notes, name)
    return _read_image(content, name, limits)


def is_dicom(content: bytes, name: str) -> bool:
    """Tell whether a file is DICOM by its mark, or is called so."""
    return content[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom"))


def check_size(name: str, width: int, height: int, limits: Limits) -> None:
    """Reject an image by the size in its header."""
    if width < 1 or height < 1 or width * height > limits.pixels:
        raise MammoscanError(
            f"{name} is {width} x {height} pixels, expected 1 to {limits.pixels:,} in all: make it smaller"
        )
    if max(width, height) > limits.ratio * min(width, height):
        raise MammoscanError(
            f"{name} is {width} x {height} pixels, expected a longer side of at most {limits.ratio:g} times the "
            "shorter one: crop it"
        )


def _read_image(content: bytes, name: str, limits: Limits) -> Picture:
    if re.match(rb"P[123]\s", content) and len(content) > MAX_TEXT_BYTES:
        raise MammoscanError(
            f"{name} is a PGM in text form of {len(content):,} bytes, expected at most {MAX_TEXT_BYTES:,}: "
            "save it as binary PGM (P5) or PNG"
        )
    try:
        # Pillow only warns of large images; check_size enforces our own limit.
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "PPM", "TIFF")) as image:
                check_size(name, *image.size, limits)
                kind, notes = _KINDS[image.format or ""], []
                frames = getattr(image, "n_frames", 1)
                if frames > 1 and image.format != "MPO":
                    raise MammoscanError(
                        f"{name} holds {frames} pictures, expected one: save the one you need"
                    )
                if frames > 1:
                    notes.append(f"{frames} pictures in the file; the first was taken")
                image.load()
                if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
                    notes.append("rotated upright, as its EXIF orientation says")
                    array, more = _unpack(ImageOps.exif_transpose(image), name)
                else:
                    array, more = _unpack(image, name)
    except Image.UnidentifiedImageError as error:
        raise MammoscanError(f"{name} is no image that can be read here, {EXPECTED}") from error
    except Image.DecompressionBombError as error:
        raise MammoscanError(
            f"{name} unpacks to far more pixels than the {limits.pixels:,} allowed: make it smaller"
        ) from error
    except (MammoscanError, MemoryError):
        raise
    # Broken files raise nearly anything in a decoder: SyntaxError for a PNG, struct.error for a TIFF.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MammoscanError(f"{name} cannot be read: {reason}; get the file again") from error
    return Picture(array, kind, notes + more, name, content)


def _unpack(image: Image.Image, name: str) -> tuple[NDArray, list[str]]:
    mode = image.mode
    if mode in ("L", "RGB"):
        return np.array(image), []
    if mode.startswith("I"):
        values = np.array(image)
        if values.min() < 0 or values.max() > 65535:
            raise MammoscanError(
                f"{name} has values from {values.min()} to {values.max()}, expected 0 to 65535: convert it to 16 bits"
            )
        return values.astype(np.uint16), []
    if mode == "1":
        return np.array(image.convert("L")), ["black and white only: 1 bit per pixel was read as 0 and 255"]
    if mode in ("LA", "La", "RGBA", "RGBa", "PA"):
        return _drop_alpha(image)
    if mode == "P":
        if "transparency" in image.info:
            array, notes = _drop_alpha(image.convert("RGBA"))
            return array, ["colours were looked up in the file's palette", *notes]
        return _grey_if_grey(np.array(image.convert("RGB"))), ["colours were looked up in the file's palette"]
    if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        return np.array(image.convert("RGB")), [f"colours were converted from {mode} to RGB"]
    raise MammoscanError(
        f"{name} holds pixels of kind {mode}, expected 8- or 16-bit grey or colour: convert it"
    )


def _drop_alpha(image: Image.Image) -> tuple[NDArray, list[str]]:
    full = np.array(image.convert("RGBA"))
    notes = [] if (full[..., 3] == 255).all() else ["transparency was dropped"]
    colours = np.ascontiguousarray(full[..., :3])
    return (colours if image.mode.startswith("RGB") else _grey_if_grey(colours)), notes


def _grey_if_grey(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(colours[..., 0]) if (colours == colours[..., :1]).all() else colours

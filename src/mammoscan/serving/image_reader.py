"""Pictures from bytes that somebody sent: whatever is in them, the outcome is a picture or one line."""

from __future__ import annotations

import io
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


@dataclass(frozen=True)
class Limits:
    """What a picture may cost: a few kilobytes can hold an image that fills the memory.

    Attributes:
        bytes: Most bytes of a file.
        pixels: Most pixels of the image in it, read in its header before anything is unpacked.
    """

    bytes: int = 100_000_000
    pixels: int = 50_000_000


@dataclass(frozen=True)
class Picture:
    """A picture as it was read.

    Attributes:
        array: uint8 or uint16 ``[H, W]`` (grey) or uint8 ``[H, W, 3]`` (red, green, blue).
        kind: ``png``, ``jpeg``, ``pgm``, ``tiff`` or ``dicom``.
        warnings: What was changed on the way, in sentences.
        name: The file's name.
        content: The file itself where a data set's own reading of it may be wanted, as in training.
    """

    array: NDArray[np.uint8] | NDArray[np.uint16]
    kind: str
    warnings: list[str] = field(default_factory=list)
    name: str = "picture"
    content: bytes = field(default=b"", repr=False)


def read_picture(content: bytes, name: str, limits: Limits | None = None) -> Picture:
    """Read a picture from the bytes of a file; its content decides the format, not its name.

    Args:
        content: The whole file.
        name: What errors call it.
        limits: Most bytes and pixels; None means the defaults.

    Returns:
        The picture, upright, with a warning for each thing that was changed.

    Raises:
        MammoscanError: One line, where there is no picture in it, or one that is not taken.
    """
    limits = limits or Limits()
    if not content:
        raise MammoscanError(f"{name} is empty, {EXPECTED}")
    if len(content) > limits.bytes:
        raise MammoscanError(f"{name} has {len(content):,} bytes, expected at most {limits.bytes:,}")
    if content[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom")):
        from mammoscan.serving.dicom import read_dicom

        array, notes = read_dicom(content, name, limits.pixels)
        return Picture(array, "dicom", notes, name)
    return _read_image(content, name, limits)


def check_pixels(name: str, width: int, height: int, most: int) -> None:
    """Refuse a picture for its size, which its header tells."""
    if width < 1 or height < 1 or width * height > most:
        raise MammoscanError(
            f"{name} is {width} x {height} pixels, expected 1 to {most:,} in all: make it smaller"
        )


def _read_image(content: bytes, name: str, limits: Limits) -> Picture:
    try:
        # Pillow's own check of the size comes as a warning; ours follows, with the limit that was asked for.
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "PPM", "TIFF")) as image:
                check_pixels(name, *image.size, limits.pixels)
                kind, notes = _KINDS[image.format or ""], []
                frames = getattr(image, "n_frames", 1)
                if frames > 1 and image.format != "MPO":
                    raise MammoscanError(
                        f"{name} holds {frames} pictures, expected one: save the one that is meant"
                    )
                if frames > 1:
                    notes.append(f"{frames} pictures in the file; the first was taken")
                image.load()
                if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
                    notes.append("turned upright, as the camera noted")
                    array, more = _unpack(ImageOps.exif_transpose(image), name)
                else:
                    array, more = _unpack(image, name)
    except Image.UnidentifiedImageError as error:
        raise MammoscanError(f"{name} is no image that can be read here, {EXPECTED}") from error
    except Image.DecompressionBombError as error:
        raise MammoscanError(
            f"{name} unpacks to far more pixels than the {limits.pixels:,} allowed: make it smaller"
        ) from error
    # Broken files raise nearly anything in a decoder: SyntaxError for a PNG, struct.error for a TIFF.
    except Exception as error:
        if isinstance(error, MammoscanError):
            raise
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
        return np.array(image.convert("L")), ["black and white only: 1 bit a pixel was read as 0 and 255"]
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

"""Read image files: one reader for training, predicting and serving.

The content decides the format, not the name. Whatever the bytes are, the outcome is an image or a one-line error.
``read_picture`` returns a whole picture; ``decode_image`` returns one at a network's size, as training sees it.
"""

from __future__ import annotations

import io
import re
import warnings as python_warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mammoscan.errors import MammoscanError

EXPECTED = "expected PNG, JPEG, PGM, TIFF, BMP, WebP, GIF, DICOM or NIfTI"
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".tif", ".tiff", ".bmp", ".webp", ".gif"),
    *(".dcm", ".dicom", ".nii", ".nii.gz"),
)

_KINDS = {
    "PNG": "png",
    "JPEG": "jpeg",
    "MPO": "jpeg",
    "PPM": "pgm",
    "TIFF": "tiff",
    "BMP": "bmp",
    "WEBP": "webp",
    "GIF": "gif",
}
FORMATS = ("PNG", "JPEG", "PPM", "TIFF", "BMP", "WEBP", "GIF")
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
        kind: ``png``, ``jpeg``, ``pgm``, ``tiff``, ``bmp``, ``webp``, ``gif``, ``dicom`` or ``nifti``.
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
        from mammoscan.imaging.dicom import read_dicom

        array, notes = read_dicom(content, name, limits)
        return Picture(array, "dicom", notes, name, content)
    from mammoscan.imaging.nifti import is_nifti, read_nifti

    if is_nifti(content, name):
        array, notes = read_nifti(content, name, limits)
        return Picture(array, "nifti", notes, name, content)
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
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
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


# In a folder of one's own images there may be larger ones than a service takes.
MAX_PIXELS = 150_000_000
# A 16-bit file that uses no more than this holds 12 bits or fewer: its full brightness is unknown.
TWELVE_BITS = 4095
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
GREY_MODES = ("1", "L", "LA", "La")
# A JPEG may be shrunk while it is unpacked, down to this many times the size wanted.
DRAFT_MARGIN = 2


class UnreadableImageError(MammoscanError):
    """The bytes are no image that can be used; the text is the reason."""


@dataclass(frozen=True)
class DecodedImage:
    """An image at a network's size, and what it was before.

    Attributes:
        pixels: uint8 ``[H, W, C]``.
        width: Width of the upright image.
        height: Its height.
        colour: ``grey`` or ``colour``: what the file holds, even if its channels are equal.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    colour: str


def decode_image(
    content: bytes, size: tuple[int, int], channels: int, levels: int | None = None
) -> DecodedImage:
    """Decode an image and stretch it to a size.

    It is turned upright as its EXIF orientation says. Palettes, CMYK and transparency become plain colour; colour
    becomes grey by luminance where one channel is wanted. Sixteen bits are reduced to eight over their whole range, or
    over the first ``levels`` values. DICOM is displayed as its header says: rescaled, windowed, inverted.

    Args:
        content: A file's bytes.
        size: Height and width of the result.
        channels: 1 for grey, 3 for colour.
        levels: Grey levels of 16-bit files, e.g. 4096 for 12 bits; None means 65,536.

    Raises:
        UnreadableImageError: If it is no image, broken, too large, several images or of unknown brightness.
    """
    try:
        medical = _read_medical(content)
        if medical is not None:
            plain, width, height, colour = _show_medical(medical, channels)
        else:
            plain, width, height, colour = _open_image(content, size, channels, levels)
        small = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"its content is no image that can be read here, {EXPECTED}") from error
    except Exception as error:
        # A broken file makes decoders raise nearly anything.
        raise UnreadableImageError(f"broken: {str(error) or type(error).__name__}") from error
    return DecodedImage(np.asarray(small).reshape(*size, channels), width, height, colour)


def _open_image(
    content: bytes, size: tuple[int, int], channels: int, levels: int | None
) -> tuple[Image.Image, int, int, str]:
    """Return the upright 8-bit image, its width and height, and whether the file holds colour."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableImageError(
                f"{image.width} x {image.height} pixels, expected {MAX_PIXELS:,} at most"
            )
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":
            raise UnreadableImageError(f"{frames} pictures in one file, expected one: save the one you need")
        # Before anything is shrunk on the way.
        turned = image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
        width, height = image.size[::-1] if turned else image.size
        colour = "grey" if image.mode in (*GREY_MODES, *DEEP_MODES) else "colour"
        if image.format == "JPEG" and image.mode in ("L", "RGB"):
            longest = DRAFT_MARGIN * max(size)
            image.draft("L" if channels == 1 else "RGB", (longest, longest))
        return _flatten(ImageOps.exif_transpose(image), channels, levels), width, height, colour


def _read_medical(content: bytes) -> NDArray | None:
    """Return the pixels of a DICOM or NIfTI file, displayed as its header says; None for any other."""
    from mammoscan.imaging.nifti import is_nifti, read_nifti

    limits = Limits(bytes=len(content), pixels=MAX_PIXELS, ratio=float("inf"))
    try:
        if is_dicom(content, ""):
            from mammoscan.imaging.dicom import read_dicom

            return read_dicom(content, "the file", limits)[0]
        return read_nifti(content, "the file", limits)[0] if is_nifti(content, "") else None
    except MammoscanError as error:
        raise UnreadableImageError(str(error)) from error


def _show_medical(array: NDArray, channels: int) -> tuple[Image.Image, int, int, str]:
    if array.dtype == np.uint16:
        array = _reduce_levels(array, 65536)
    image = Image.fromarray(array).convert("L" if channels == 1 else "RGB")
    return image, array.shape[1], array.shape[0], "grey" if array.ndim == 2 else "colour"


def _flatten(image: Image.Image, channels: int, levels: int | None) -> Image.Image:
    if image.mode == "F":
        raise UnreadableImageError("pixels are fractions of unknown full brightness: convert it to 8 bits")
    if image.mode in DEEP_MODES:
        image = _reduce_depth(image, levels)
    if image.mode not in (*GREY_MODES, "RGB"):
        image = image.convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _reduce_depth(image: Image.Image, levels: int | None) -> Image.Image:
    values = np.asarray(image)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65535:
        raise UnreadableImageError(
            f"values from {lowest} to {highest}, expected 8 or 16 bits: convert it to 8 bits"
        )
    if levels is None and highest <= TWELVE_BITS:
        raise UnreadableImageError(
            f"16 bits, of which values up to {highest} are used, so that its full brightness is unknown: set "
            "pack.levels (4096 for 12 bits), or convert it to 8 bits"
        )
    return Image.fromarray(_reduce_levels(values, levels or 65536))


def _reduce_levels(values: NDArray, levels: int) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, levels - 1) * (255 / (levels - 1))).astype(np.uint8)

"""From a file's bytes to an image of a network's size; its content decides, not its name."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mammoscan.errors import MammoscanError

# A few kilobytes can hold an image that fills the memory.
MOST_PIXELS = 150_000_000
# Sixteen-bit files that use no more than this hold twelve bits or fewer: how bright they are meant is not known.
TWELVE_BITS = 4095
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
GREY_MODES = ("1", "L", "LA", "La")
# A JPEG may be shrunk while it is unpacked, down to this many times the size asked for.
DRAFT_MARGIN = 2


class UnreadableImageError(MammoscanError):
    """The bytes are no image that can be used; the text is the reason."""


@dataclass(frozen=True)
class DecodedImage:
    """An image at a network's size, and what it was before.

    Attributes:
        pixels: uint8 ``[H, W, C]``.
        width: Width of the image as it is meant to be seen.
        height: Its height.
        colour: ``grey`` or ``colour``: what the file holds, even if its channels are equal.
    """

    pixels: np.ndarray
    width: int
    height: int
    colour: str


def decode_image(content: bytes, size: tuple[int, int], channels: int) -> DecodedImage:
    """Decode an image and stretch it to a size.

    Turned upright by its EXIF mark. Palettes, CMYK and transparency become plain colour; colour becomes grey by
    luminance where one channel is asked for. Sixteen bits are reduced to eight over their whole range.

    Args:
        content: A file's bytes.
        size: Height and width of the result.
        channels: 1 for grey, 3 for colour.

    Returns:
        The image and its former size.

    Raises:
        UnreadableImageError: If it is no image, broken, too large or of unknown brightness.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise UnreadableImageError(
                    f"{image.width} x {image.height} pixels, expected {MOST_PIXELS:,} at most"
                )
            # Before anything is shrunk on the way.
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            width, height = image.size[::-1] if turned else image.size
            colour = "grey" if image.mode in (*GREY_MODES, *DEEP_MODES) else "colour"
            if image.format == "JPEG" and image.mode in ("L", "RGB"):
                longest = DRAFT_MARGIN * max(size)
                image.draft("L" if channels == 1 else "RGB", (longest, longest))
            plain = _flatten(ImageOps.exif_transpose(image), channels)
            small = plain.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError("its content is no image of a known format") from error
    except Exception as error:
        # Whatever a broken file makes a decoder raise, the file is what is broken.
        raise UnreadableImageError(f"broken: {str(error) or type(error).__name__}") from error
    return DecodedImage(np.asarray(small).reshape(*size, channels), width, height, colour)


def _flatten(image: Image.Image, channels: int) -> Image.Image:
    if image.mode == "F":
        raise UnreadableImageError(
            "pixels are fractions, and how bright 1 is is not known: convert it to 8 bits"
        )
    if image.mode in DEEP_MODES:
        image = _reduce_depth(image)
    if image.mode not in (*GREY_MODES, "RGB"):
        image = image.convert("RGB")
    return image.convert("L" if channels == 1 else "RGB")


def _reduce_depth(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65535:
        raise UnreadableImageError(
            f"values from {lowest} to {highest}, expected 8 or 16 bits: convert it to 8 bits"
        )
    if highest <= TWELVE_BITS:
        raise UnreadableImageError(
            f"16 bits of which values up to {highest} are used, so that how bright it is meant is not known: "
            "convert it to 8 bits"
        )
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))

"""Decode a DICOM file to grey levels or colours as its own header says they are displayed."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import Limits, check_size

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT")

# What a header may take beside the pixels.
HEADER_BYTES = 16_000_000
# Grey levels become float64 on the way to the screen: so many at a time.
STRIP_PIXELS = 4_000_000
# Elements that scanners write empty; an empty one means the same as none.
OPTIONAL = (
    "WindowCenter",
    "WindowWidth",
    "VOILUTSequence",
    "VOILUTFunction",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "NumberOfFrames",
    "PixelPaddingValue",
)

OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
OVERLAY = "an overlay in the file is not drawn"
BURNT_IN = "text or marks are burnt into the pixels, as the file says (BurnedInAnnotation)"


def read_dicom(content: bytes, name: str, limits: Limits, windowed: bool = True) -> tuple[NDArray, list[str]]:
    """Read the one picture of a DICOM file.

    Rescaling, window and inversion (MONOCHROME1) are applied as the header states them; of several windows the first.

    Args:
        content: The whole file.
        name: What errors call it.
        limits: Of the picture; what a deflated file unpacks to is bounded by them, too.
        windowed: False ignores the window, so that all grey levels are kept.

    Returns:
        uint8 or uint16 ``[H, W]`` or uint8 ``[H, W, 3]``, and what was converted, in sentences.
    """
    try:
        return _read(content, name, limits, windowed)
    except (MammoscanError, MemoryError):
        raise
    # Every element of a header can hold a value of any type.
    except Exception as error:
        raise MammoscanError(
            f"{name} cannot be read as DICOM: an element of its header is invalid ({_describe(error)}); "
            "export the file again"
        ) from error


def _read(content: bytes, name: str, limits: Limits, windowed: bool) -> tuple[NDArray, list[str]]:
    header = _read_header(content, name, limits)
    notes = [*_drop_empty(header), *describe_marks(header)]
    rows, columns = int(header.get("Rows", 0) or 0), int(header.get("Columns", 0) or 0)
    if "PixelData" not in header:
        raise MammoscanError(f"{name} is a DICOM file without a picture, expected one with pixel data")
    frames = int(header.get("NumberOfFrames", 1))
    if frames > 1:
        raise MammoscanError(f"{name} holds {frames} frames, expected one: save the frame you need")
    check_size(name, columns, rows, limits)
    photometric = str(header.get("PhotometricInterpretation", ""))
    if photometric not in GREY + COLOUR:
        raise MammoscanError(
            f"{name} has the photometric interpretation {photometric or 'none'}, "
            f"expected one of {', '.join(GREY + COLOUR)}: convert it"
        )
    stored = _decode(header, name)
    if photometric in COLOUR:
        if stored.dtype != np.uint8 or stored.ndim != 3:
            raise MammoscanError(f"{name} has colours of {stored.dtype}, expected 8 bits: convert it")
        return stored, notes
    shown, more = _show_grey(stored, header, name, windowed)
    if photometric == "MONOCHROME1":
        shown = np.iinfo(shown.dtype).max - shown
        more.append("inverted: in the file low values are bright (MONOCHROME1)")
    return shown, notes + more


def _read_header(content: bytes, name: str, limits: Limits) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    try:
        stream = io.BytesIO(content)
        read_preamble(stream, force=False)
        meta = pydicom.filereader._read_file_meta_info(stream)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            _check_inflated(memoryview(content)[stream.tell() :], name, limits)
        return pydicom.dcmread(io.BytesIO(content))
    except (MammoscanError, MemoryError):
        raise
    except InvalidDicomError as error:
        raise MammoscanError(f"{name} is no DICOM file: the mark DICM is not in it; convert it") from error
    except Exception as error:
        raise MammoscanError(
            f"{name} cannot be read as DICOM: {_describe(error)}; get the file again"
        ) from error


def _check_inflated(deflated: memoryview, name: str, limits: Limits) -> None:
    """Refuse a deflated file that unpacks to more than its picture can need, without keeping what is unpacked."""
    allowed = 3 * limits.pixels + HEADER_BYTES
    inflater, total, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, bytes(deflated)
    while rest and not inflater.eof:
        total += len(inflater.decompress(rest, 1_000_000))
        rest = inflater.unconsumed_tail
        if total > allowed:
            raise MammoscanError(
                f"{name} is a deflated DICOM file that unpacks to more than {allowed:,} bytes: save it uncompressed"
            )


def _drop_empty(header: Any) -> list[str]:
    """Delete optional elements without a usable value from a header; return notes about those that matter."""
    notes = []
    for keyword in OPTIONAL:
        if keyword in header and _is_empty(header[keyword].value):
            del header[keyword]
            if keyword in ("WindowCenter", "WindowWidth", "VOILUTSequence"):
                notes.append(f"the file's {keyword} is empty and was ignored")
    if "VOILUTSequence" in header and "LUTData" not in header.VOILUTSequence[0]:
        del header["VOILUTSequence"]
        notes.append("the file's VOILUTSequence holds no table and was ignored")
    return notes


def describe_marks(header: Any) -> list[str]:
    """Say what a header tells of marks over or in the pixels, which a network may read instead of the image."""
    notes = []
    if any((group, 0x3000) in header for group in OVERLAY_GROUPS):
        notes.append(OVERLAY)
    if str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        notes.append(BURNT_IN)
    return notes


def read_marks(file: Path) -> list[str]:
    """Return what ``describe_marks`` says of a file, whose pixels are not read; nothing of what is no DICOM file."""
    import pydicom

    tags = [pydicom.tag.Tag("BurnedInAnnotation"), *((group, 0x3000) for group in OVERLAY_GROUPS)]
    try:
        return describe_marks(pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags))
    # Every element of a header can hold a value of any type; packing says what is wrong with the file.
    except Exception:
        return []


def _is_empty(value: Any) -> bool:
    # A sequence is empty without items, a number without digits, a list of numbers with nothing but empty ones.
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return value is None or not str(value).strip()
    return len(value) == 0 or all(item is None or str(item).strip() == "" for item in value)


def _decode(header: Any, name: str) -> NDArray:
    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    try:
        return header.pixel_array
    except MemoryError:
        raise
    except Exception as error:
        if syntax is not None and syntax.is_compressed:
            raise MammoscanError(
                f"{name} is compressed as {syntax.name}, which cannot be unpacked here ({_describe(error)}); "
                "save it uncompressed"
            ) from error
        raise MammoscanError(
            f"{name} cannot be read as DICOM: {_describe(error)}; get the file again"
        ) from error


def _show_grey(stored: NDArray, header: Any, name: str, windowed: bool) -> tuple[NDArray, list[str]]:
    """Return uint8 where the header says how the values are displayed, else uint16 over their whole range."""
    from pydicom.pixels import apply_modality_lut, apply_voi

    def strips() -> list[slice]:
        height = max(1, STRIP_PIXELS // stored.shape[1])
        return [slice(top, top + height) for top in range(0, len(stored), height)]

    def rescale(rows: slice) -> NDArray[np.float64]:
        return np.asarray(apply_modality_lut(stored[rows], header), dtype=np.float64)

    def display(show: Callable[[NDArray[np.float64]], NDArray], dtype: type) -> NDArray:
        shown: NDArray = np.empty(stored.shape, dtype)
        for rows in strips():
            shown[rows] = show(rescale(rows))
        return shown

    ends = np.array([(values.min(), values.max()) for values in map(rescale, strips())])
    if not np.isfinite(ends).all():
        raise MammoscanError(f"{name} has grey levels that are not numbers, expected finite ones: convert it")
    lowest, highest = ends[:, 0].min(), ends[:, 1].max()
    if windowed and "VOILUTSequence" in header:
        bits = int(header.VOILUTSequence[0].LUTDescriptor[2])

        def look_up(values: NDArray[np.float64]) -> NDArray[np.uint8]:
            table = np.asarray(apply_voi(values.astype(stored.dtype), header, index=0), dtype=np.float64)
            return _to_bytes(table / (2**bits - 1))

        return display(look_up, np.uint8), ["displayed through the table in the file, in 8 bits"]
    if windowed and "WindowCenter" in header and "WindowWidth" in header:
        centre, width = (_first_number(header[key].value) for key in ("WindowCenter", "WindowWidth"))
        if not np.isfinite([centre, width]).all():
            raise MammoscanError(
                f"{name} has a window of centre {centre} and width {width}, expected finite numbers: convert it"
            )
        function = str(header.get("VOILUTFunction", "LINEAR"))
        return display(lambda values: _to_bytes(_apply_window(values, centre, width, function)), np.uint8), [
            f"displayed through the file's window, centre {centre:g} and width {width:g}, in 8 bits"
        ]
    if int(header.get("BitsStored", 8) or 8) <= 8 and lowest >= 0 and highest <= 255:
        return display(lambda values: values, np.uint8), []
    span = max(highest - lowest, 1e-9)
    return display(lambda values: np.rint((values - lowest) / span * 65535), np.uint16), [
        f"no window in the file: its values from {lowest:g} to {highest:g} were taken as black to white"
    ]


def _apply_window(
    values: NDArray[np.float64], centre: float, width: float, function: str
) -> NDArray[np.float64]:
    """Return 0 (black) to 1 (white), by the formulas of the standard, part 3, C.11.2."""
    width = max(width, 1e-6)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -60, 60)))
    if function == "LINEAR_EXACT" or width <= 1:
        return (values - centre) / width + 0.5
    return (values - (centre - 0.5)) / (width - 1) + 0.5


def _to_bytes(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _first_number(value: Any) -> float:
    return float(value) if not hasattr(value, "__iter__") or isinstance(value, str) else float(value[0])


def _describe(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

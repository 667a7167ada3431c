"""A picture out of a DICOM file: grey levels as its own header says they are shown."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscan.errors import MammoscanError

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT")


def read_dicom(content: bytes, name: str, most_pixels: int) -> tuple[NDArray, list[str]]:
    """Read the one picture of a DICOM file.

    Rescaling, window and inversion (MONOCHROME1) are applied as the header states them; of several windows the first.

    Args:
        content: The whole file.
        name: What errors call it.
        most_pixels: Most pixels.

    Returns:
        uint8 or uint16 ``[H, W]`` or uint8 ``[H, W, 3]``, and what was done to it in sentences.
    """
    header = _read_header(content, name)
    rows, columns = int(header.get("Rows", 0) or 0), int(header.get("Columns", 0) or 0)
    if "PixelData" not in header:
        raise MammoscanError(f"{name} is a DICOM file without a picture, expected one with pixel data")
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise MammoscanError(f"{name} holds {frames} frames, expected one: save the frame that is meant")
    if not 1 <= rows * columns <= most_pixels:
        raise MammoscanError(
            f"{name} is {columns} x {rows} pixels, expected 1 to {most_pixels:,} in all: make it smaller"
        )
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
        return stored, []
    return _show_grey(stored, header, name, inverted=photometric == "MONOCHROME1")


def _read_header(content: bytes, name: str) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(io.BytesIO(content))
    except InvalidDicomError as error:
        raise MammoscanError(f"{name} is no DICOM file: the mark DICM is not in it; convert it") from error
    except Exception as error:
        raise MammoscanError(
            f"{name} cannot be read as DICOM: {_first_line(error)}; get the file again"
        ) from error
    return header


def _decode(header: Any, name: str) -> NDArray:
    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    try:
        return header.pixel_array
    except Exception as error:
        if syntax is not None and syntax.is_compressed:
            raise MammoscanError(
                f"{name} is compressed as {syntax.name}, which cannot be unpacked here ({_first_line(error)}); "
                "save it uncompressed"
            ) from error
        raise MammoscanError(
            f"{name} cannot be read as DICOM: {_first_line(error)}; get the file again"
        ) from error


def _show_grey(stored: NDArray, header: Any, name: str, inverted: bool) -> tuple[NDArray, list[str]]:
    from pydicom.pixels import apply_modality_lut, apply_voi

    notes = []
    values = np.asarray(apply_modality_lut(stored, header), dtype=np.float64)
    if not np.isfinite(values).all():
        raise MammoscanError(f"{name} has grey levels that are not numbers, expected finite ones: convert it")
    if "VOILUTSequence" in header:
        table = np.asarray(apply_voi(values.astype(stored.dtype), header, index=0), dtype=np.float64)
        bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
        shown = _to_bytes(table / (2**bits - 1))
        notes.append("shown through the table in the file, in 8 bits")
    elif "WindowCenter" in header and "WindowWidth" in header:
        centre, width = (_first_number(header[key].value) for key in ("WindowCenter", "WindowWidth"))
        shown = _to_bytes(_apply_window(values, centre, width, str(header.get("VOILUTFunction", "LINEAR"))))
        notes.append(f"shown through the file's window, centre {centre:g} and width {width:g}, in 8 bits")
    elif int(header.get("BitsStored", 8)) <= 8 and values.min() >= 0 and values.max() <= 255:
        shown = values.astype(np.uint8)
    else:
        lowest, highest = values.min(), values.max()
        shown = np.rint((values - lowest) / max(highest - lowest, 1e-9) * 65535).astype(np.uint16)
        notes.append(
            f"no window in the file: its values from {lowest:g} to {highest:g} were taken as black to white"
        )
    if inverted:
        shown = np.iinfo(shown.dtype).max - shown
        notes.append("inverted: in the file low values are bright (MONOCHROME1)")
    return shown, notes


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


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

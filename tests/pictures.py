"""Picture files that tests make."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

PLAIN = (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)


def encode_dicom(pixels: np.ndarray, syntax: str = ExplicitVRLittleEndian, **changes: Any) -> bytes:
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = syntax
    file.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    file.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    file.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = 8 * pixels.itemsize
    file.HighBit, file.PixelRepresentation = file.BitsStored - 1, int(pixels.dtype.kind == "i")
    file.PixelData = pixels.tobytes() if syntax in PLAIN else encapsulate([b"\0\0"])
    for name, value in changes.items():
        if value is None:
            del file[name]
        else:
            setattr(file, name, value)
    content = io.BytesIO()
    file.save_as(content, enforce_file_format=True)
    return content.getvalue()

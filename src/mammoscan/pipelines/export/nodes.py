from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import mlflow
import numpy as np

from mammoscan.errors import MammoscanError
from mammoscan.params import ExportParams
from mammoscan.serving.export import export_model as write_onnx
from mammoscan.serving.model_files import find_model, read_card
from mammoscan.serving.standalone import write_standalone

logger = logging.getLogger("mammoscan")


def export_model(export: ExportParams, model_input_folder: Path, standalone_folder: Path) -> dict[str, Any]:
    """Write a packaged model's network as ONNX, and a folder with it that predicts without this package.

    Args:
        export: Which model, and on how many images the Keras and the ONNX network are compared.
        model_input_folder: Where the studies' packed images are.
        standalone_folder: Gets a folder named for the study.

    Returns:
        Where the file is and by how much the two differ; a difference above 1e-4 is an error.
    """
    folder = find_model(export.study, export.model, mlflow.get_tracking_uri())
    images = model_input_folder / export.study / "pixels.npy"
    if not images.is_file():
        raise MammoscanError(
            f"export: there is no {images}, expected the images of {export.study} to compare both on; "
            f"run kedro run --pipeline {export.study} first"
        )
    parity = write_onnx(folder, np.load(images, mmap_mode="r"), export.images)
    logger.info(
        "ONNX: %s, largest difference from Keras %.1e on %d images",
        parity["file"],
        parity["largest_difference"],
        parity["images"],
    )
    target = standalone_folder / export.study
    files = write_standalone(folder, read_card(folder), target)
    logger.info("Folder that predicts without Mammoscan: %s (%s)", target, ", ".join(files))
    return {"study": export.study, "model": export.model, **parity, "standalone": str(target)}

"""A folder that predicts without this package: network, card, script, requirements and Dockerfile."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mammoscan.data.atomic_folder import stage_folder
from mammoscan.inference.onnx import OnnxNetwork
from mammoscan.models.preprocessing import choose_scale, find_line
from mammoscan.records.card import Card, WindowInput
from mammoscan.serving.model_files import CARD, MODEL_CARD, ONNX
from mammoscan.serving.prepare_input import SCAN_WINDOWS

PACKAGES = ("numpy", "pillow", "onnxruntime")
_FILES = Path(__file__).with_name("standalone_files")


def write_standalone(folder: Path, card: Card, target: Path) -> list[str]:
    """Write a folder that needs ``numpy``, ``pillow`` and ``onnxruntime`` and nothing of this package.

    Args:
        folder: A packaged model with its ``network.onnx``.
        card: That model's.
        target: The folder; a former one is replaced.

    Returns:
        The names of its files.
    """
    with stage_folder(target, replace=True) as part:
        for name in (ONNX, CARD, MODEL_CARD):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, part / name)
        single = OnnxNetwork(part / ONNX).is_single
        (part / "predict.py").write_text(_write_script(card, single), encoding="utf-8")
        versions = [f"{name}=={importlib.metadata.version(name)}\n" for name in PACKAGES]
        (part / "requirements.txt").write_text("".join(versions), encoding="utf-8")
        shutil.copyfile(_FILES / "Dockerfile", part / "Dockerfile")
        return sorted(path.name for path in part.iterdir())


def _write_script(card: Card, single: bool) -> str:
    scale, how = choose_scale(card.training), card.input
    divide, subtract = (255, 0) if scale == "unit" else find_line(scale, card.shape[2])
    window = how if isinstance(how, WindowInput) else None
    environment = Environment(
        loader=FileSystemLoader(_FILES),
        trim_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["repr"] = repr
    values: dict[str, Any] = {
        "card": card,
        "kind": how.kind,
        "labels": list(card.labels),
        "mode": "L" if window or card.shape[2] == 1 else "RGB",
        "whole_scan": SCAN_WINDOWS * window.window_side if window else 0,
        "shares": [scale / max(window.scales) for scale in window.scales] if window else [],
        "divide": np.asarray(divide).tolist(),
        "subtract": np.asarray(subtract).tolist(),
        "flip": "[..., ::-1]" if scale == "caffe" and card.shape[2] == 3 else "",
        "positive": card.labels.index(card.positive),
        "single": single,
    }
    return environment.get_template("predict.py.j2").render(values)

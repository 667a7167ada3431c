from __future__ import annotations

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

REQUIREMENTS = ("keras", "tensorflow", "numpy", "pandas", "pydantic", "pillow", "scipy", "rich", "click")


def log_model(network: Path, card: Mapping[str, Any]) -> None:
    """Log a trained network to the active MLflow run as a model that carries all it needs.

    Nothing of it is pickled: the code is a script, the network a ``.keras`` file, the rest JSON.

    Args:
        network: The ``.keras`` file.
        card: ``labels``, ``positive``, ``threshold``, ``training``, ``views``, ``shape`` and whatever else a user
            of the model must know; it goes with it as ``card.json``.
    """
    outputs = [
        ColSpec(DataType.string, "label"),
        *(ColSpec(DataType.double, f"p_{name}") for name in card["labels"]),
    ]
    if len(card["labels"]) == 2:
        outputs.append(ColSpec(DataType.double, "threshold"))
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, *card["shape"]))]), outputs=Schema(outputs)
    )
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.json"
        path.write_text(json.dumps(card, indent=1))
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(here / "packaged.py"),
            artifacts={"network": str(network), "card": str(path)},
            # The package goes along: it is on no index. Guessing the requirements would import everything again.
            code_paths=[str(here.parent)],
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in REQUIREMENTS],
            signature=signature,
            input_example=np.zeros((1, *card["shape"]), dtype=np.uint8),
            metadata={key: card[key] for key in ("study", "protocol", "data", "notice")},
        )

"""Log a trained model to MLflow with everything it needs to be used."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array

from mammoscan.records.card import Card
from mammoscan.reporting.model_card import build_metadata
from mammoscan.serving.manifest import write_manifest
from mammoscan.serving.model_files import CARD, MODEL_CARD_DATA, NETWORK

REQUIREMENTS = (
    "keras",
    "tensorflow",
    "numpy",
    "pandas",
    "pydantic",
    "pillow",
    "pydicom",
    "scipy",
    "rich",
    "click",
)
REGISTERED = ("real",)
# The newest version. Which one is the champion is for a person to say.
ALIAS = "candidate"


def log_model(network: Path, card: Card, files: Mapping[str, Path] | None = None) -> str | None:
    """Log a trained network to the active MLflow run as a model that carries all it needs.

    Nothing of it is pickled: the code is a script, the network a ``.keras`` file, the rest JSON and text. The final
    model of a patient study on real data is registered as ``mammoscan-<study>``; any other must be named by its run.

    Args:
        network: The ``.keras`` file.
        card: What ``write_card`` gathered; it goes along as ``card.json``, and as ``model_card.json`` in the keys of a
            MONAI bundle.
        files: What else lies beside it, by name: ``out_of_distribution.json``, ``model_card.md``.

    Returns:
        The address of the registered version, ``models:/mammoscan-mias/3``; None where it is not registered.
    """
    here = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(network, folder / NETWORK)
        (folder / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")
        (folder / MODEL_CARD_DATA).write_text(json.dumps(build_metadata(card), indent=1), encoding="utf-8")
        for file, path in (files or {}).items():
            shutil.copy(path, folder / file)
        write_manifest(folder)
        registered = name_registered(card)
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(here / "pyfunc_model.py"),
            artifacts={path.name: str(path) for path in folder.iterdir()},
            # The package goes along: it is on no index. Guessing the requirements would import everything again.
            code_paths=[str(here.parent)],
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in REQUIREMENTS],
            signature=ModelSignature(outputs=describe_answer(card)),
            input_example=np.zeros((1, *card.shape), dtype=np.uint8),
            metadata=card.model_dump(include={"study", "protocol", "division", "data", "notice"}),
            registered_model_name=registered,
        )
    return f"models:/{registered}/{logged.registered_model_version}" if registered else None


def describe_version(address: str, columns: Mapping[str, str], run_id: str) -> None:
    """Say in the registry what a version is worth, and make it the candidate.

    Args:
        address: ``models:/mammoscan-mias/3``.
        columns: The headline of its run, as its tags.
        run_id: The run.
    """
    name, version = address.removeprefix("models:/").rsplit("/", 1)
    client = mlflow.MlflowClient()
    for key, value in columns.items():
        client.set_model_version_tag(name, version, key, value)
    said = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in columns.items())
    client.update_model_version(name, version, f"{said}. The report is in run {run_id}.")
    client.set_registered_model_alias(name, ALIAS, version)


def name_registered(card: Card) -> str | None:
    """Return under which name a model is registered; None where it must be named by its run."""
    worthy = card.protocol == "patient" and card.patients_apart and card.data in REGISTERED
    return f"mammoscan-{card.study}" if worthy else None


def describe_answer(card: Card) -> Schema:
    """Return the columns of an answer.

    The signature has no inputs: MLflow's schemas hold either tensors or columns, and this model takes both, arrays
    of prepared images and a column of image files.
    """
    columns = [ColSpec(DataType.string, "label", required=False)]
    columns += [ColSpec(DataType.double, name, required=False) for name in card.answer_columns]
    if card.is_binary:
        columns.append(ColSpec(DataType.double, "threshold"))
    columns.append(ColSpec(Array(DataType.string), "warnings"))
    columns.append(ColSpec(DataType.string, "error", required=False))
    return Schema(columns)

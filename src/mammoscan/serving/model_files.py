"""Find a packaged model by what the user calls it, and the files in its folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mammoscan.errors import MammoscanError
from mammoscan.records.card import Card

if TYPE_CHECKING:
    from mlflow import MlflowClient


NETWORK, ONNX, CARD, OUT_OF_DISTRIBUTION = (
    "network.keras",
    "network.onnx",
    "card.json",
    "out_of_distribution.json",
)
TRAINING_FINGERPRINT = "training_fingerprint.parquet"
MODEL_CARD, MODEL_CARD_DATA = "model_card.md", "model_card.json"


def find_files(folder: Path) -> Path:
    """Return where a model's files are: in the folder itself, or in ``artifacts`` as in an MLflow model.

    Args:
        folder: The folder of a packaged model.
    """
    folder = Path(folder)
    inside = folder if (folder / CARD).is_file() else folder / "artifacts"
    for name in (CARD, NETWORK):
        if not (inside / name).is_file():
            raise MammoscanError(f"{folder} holds no {name}, expected the folder of a packaged model")
    return inside


def read_card(folder: Path) -> Card:
    """Return the card of the model in a folder."""
    return Card.read(find_files(folder) / CARD)


LATEST = "latest"
# The newest runs among which one with a model is looked for.
MAX_SEARCHED = 200


def find_model(study: str, model: str, tracking_uri: str | None = None) -> Path:
    """Return the folder of a packaged model.

    Args:
        study: Whose model it is.
        model: ``latest`` (the newest that is registered as ``mammoscan-<study>``: trained on real data with patients
            kept apart), the id of an MLflow run, ``models:/…``, or a folder.
        tracking_uri: MLflow's; None means what the project's ``mlflow.yml`` says.

    Raises:
        MammoscanError: If there is none.
    """
    folder = Path(model)
    if model != LATEST and folder.is_dir():
        return find_files(folder)
    if model != LATEST and not re.fullmatch(r"[0-9a-f]{32}|models:/.+", model):
        raise MammoscanError(
            f"model {model!r} is no folder, expected latest, the 32 characters of a run's id, models:/… or a folder"
        )
    uri = tracking_uri or read_tracking_uri()
    file = uri.removeprefix("sqlite:///")
    if file != uri and not Path(file).is_file():
        raise MammoscanError(
            f"there is no {file}, so nothing was trained here: run kedro run --pipeline {study}, or start in the "
            "project's folder"
        )
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient(uri, uri)
    former = mlflow.get_tracking_uri()
    try:
        if model == LATEST:
            model = _find_latest(client, study)
        elif not model.startswith("models:/"):
            model = _find_of_run(client, model)
        # MLflow resolves a model's address in its global database, whatever the client's is.
        mlflow.set_tracking_uri(uri)
        return find_files(Path(mlflow.artifacts.download_artifacts(model)))
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise MammoscanError(
            f"model {model}: {reason}; look in mlflow ui --backend-store-uri {uri}"
        ) from error
    finally:
        mlflow.set_tracking_uri(former)


def read_tracking_uri() -> str:
    """Return where the project's runs are: as ``mlflow.yml`` says, else the environment."""
    from kedro.config import OmegaConfigLoader

    from mammoscan.resolvers import find_project_root

    loader = OmegaConfigLoader(
        str(Path(find_project_root()) / "conf"),
        base_env="base",
        default_run_env="local",
        config_patterns={"mlflow": ["mlflow*"]},
        merge_strategy={"mlflow": "soft"},
        custom_resolvers={"project_root": find_project_root},
    )
    configured = (loader["mlflow"].get("server") or {}).get("mlflow_tracking_uri")
    return str(
        configured or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{find_project_root()}/mlflow.db"
    )


def _find_latest(client: MlflowClient, study: str) -> str:
    name = f"mammoscan-{study}"
    versions = client.search_model_versions(f"name='{name}'")
    if versions:
        return f"models:/{name}/{max(int(version.version) for version in versions)}"
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(
        experiments,
        f"tags.study = '{study}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=MAX_SEARCHED,
    )
    # A part of a run, or a search, leaves no model.
    runs = [run for run in runs if run.outputs and run.outputs.model_outputs]
    hint = (
        f"name a run; the newest is {runs[0].info.run_id} ({runs[0].data.tags.get('data', 'unknown')} data)"
        if runs
        else f"train one: kedro run --pipeline {study}"
    )
    raise MammoscanError(
        f"no model is registered as {name}, which takes real data with patients kept apart: {hint}"
    )


def _find_of_run(client: MlflowClient, run_id: str) -> str:
    outputs = client.get_run(run_id).outputs
    models = outputs.model_outputs if outputs else []
    if not models:
        raise MammoscanError(
            f"run {run_id} logged no model, expected a finished run of a study; name another run"
        )
    return f"models:/{models[-1].model_id}"

"""What a packaged model answers, and what goes along with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from mammoscan.learning.predict import predict_probabilities
from mammoscan.networks.registry import build_network
from mammoscan.serving.package import log_model
from mammoscan.serving.packaged import PackagedClassifier
from mammoscan.studies import MachineParams, Recipe, ViewParams

TWO, THREE = ("benign", "malignant"), ("normal", "benign", "malignant")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 24, 24, 1)).astype(np.uint8)


def make_card(labels: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    return {
        "study": "mias",
        "protocol": "patient",
        "data": "phantom",
        "notice": "Research use. Not a medical device.",
        "labels": list(labels),
        "positive": "malignant",
        "threshold": 0.5,
        "training": Recipe(epochs=1, scale="standard").model_dump(mode="json"),
        "views": ViewParams(stored="one", prediction=True).model_dump(mode="json"),
        "shape": list(PIXELS.shape[1:]),
    } | changes


@pytest.fixture(scope="module", params=[TWO, THREE], ids=["two labels", "three labels"])
def labels(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture(scope="module")
def network(labels: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("network") / "model.keras"
    build_network("small_cnn", PIXELS.shape[1:], len(labels), 3).save(file)
    return file


def ask(network: Path, card: dict[str, Any], pixels: Any = PIXELS) -> pd.DataFrame:
    file = network.with_name("card.json")
    file.write_text(json.dumps(card))
    model = PackagedClassifier()
    model.load_context(SimpleNamespace(artifacts={"network": str(network), "card": str(file)}))
    return model.predict(None, pixels)


def test_it_answers_a_row_an_image_with_the_networks_own_probabilities(
    network: Path, labels: tuple[str, ...]
) -> None:
    from mammoscan.learning.models import load_model

    card = make_card(labels)
    answer = ask(network, card)
    columns = ["label", *(f"p_{label}" for label in labels)]
    assert list(answer.columns) == (columns if len(labels) == 3 else [*columns, "threshold"])
    expected = predict_probabilities(
        load_model(network),
        PIXELS,
        np.arange(5),
        recipe=Recipe(**card["training"]),
        views=ViewParams(**card["views"]),
        machine=MachineParams(),
    )
    np.testing.assert_array_equal(answer[columns[1:]].to_numpy(), expected.astype(float))


def test_its_preprocessing_is_the_cards(network: Path, labels: tuple[str, ...]) -> None:
    recipe = make_card(labels)["training"]
    other = ask(network, make_card(labels, training=recipe | {"scale": "unit"}))
    assert not np.allclose(other[f"p_{labels[0]}"], ask(network, make_card(labels))[f"p_{labels[0]}"])


def test_its_label_follows_the_threshold_of_two_labels_and_the_likeliest_of_three(
    network: Path, labels: tuple[str, ...]
) -> None:
    probability = np.sort(ask(network, make_card(labels))["p_malignant"])
    assert probability[1] < probability[2]
    threshold = float(probability[2])
    answer = ask(network, make_card(labels, threshold=threshold))
    if len(labels) == 3:
        likeliest = answer[[f"p_{label}" for label in labels]].idxmax(axis=1).str.removeprefix("p_")
        assert (answer["label"] == likeliest).all()
        return
    assert set(answer["threshold"]) == {threshold}
    assert (answer["label"] == np.where(answer["p_malignant"] >= threshold, "malignant", "benign")).all()
    assert (answer["label"] == "malignant").sum() == 3


def test_a_single_image_and_nested_lists_are_answered_too(network: Path, labels: tuple[str, ...]) -> None:
    card = make_card(labels)
    pd.testing.assert_frame_equal(ask(network, card, PIXELS[:1].tolist()), ask(network, card, PIXELS[:1]))


def test_it_is_logged_with_its_signature_its_card_and_the_package(
    network: Path, labels: tuple[str, ...], database: str, tmp_path: Path
) -> None:
    former = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(database)
    try:
        experiment = mlflow.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
        with mlflow.start_run(experiment_id=experiment) as run:
            log_model(network, make_card(labels))
        [output] = mlflow.get_run(run.info.run_id).outputs.model_outputs
        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{output.model_id}"))
    finally:
        mlflow.set_tracking_uri(former)
    model = mlflow.models.Model.load(folder)
    outputs = ["label", *(f"p_{label}" for label in labels), *(["threshold"] if len(labels) == 2 else [])]
    assert model.signature.outputs.input_names() == outputs
    [tensor] = model.signature.inputs.inputs
    assert (tensor.type, tensor.shape) == (np.dtype("uint8"), (-1, 24, 24, 1))
    assert model.metadata["data"] == "phantom"
    assert json.loads((folder / "artifacts" / "card.json").read_text()) == make_card(labels)
    assert (folder / "code" / "mammoscan" / "serving" / "packaged.py").is_file()
    assert not list(folder.rglob("*.pkl"))
    assert not [
        line for line in (folder / "requirements.txt").read_text().splitlines() if "mammoscan" in line
    ]

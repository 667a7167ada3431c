"""What a packaged model answers, and what goes along with it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.evaluation.calibration import apply_temperature
from mammoscan.evaluation.out_of_distribution import describe_levels, fit_reference, floor_levels
from mammoscan.imaging.views import make_view
from mammoscan.inference.predict import predict_probabilities
from mammoscan.models.registry import build_network
from mammoscan.params import MachineParams, Recipe, ScanGridParams, ViewParams
from mammoscan.records.card import Card, WindowInput
from mammoscan.serving.classifier import OUT_OF_DISTRIBUTION_WARNING, Classifier
from mammoscan.serving.export import export_model
from mammoscan.serving.log_model import describe_version, log_model, name_registered
from mammoscan.serving.manifest import write_manifest
from mammoscan.serving.model_files import find_model
from mammoscan.serving.pyfunc_model import PackagedClassifier

TWO, THREE = ("benign", "malignant"), ("normal", "benign", "malignant")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 24, 24, 1)).astype(np.uint8)


def make_card(labels: tuple[str, ...], **changes: Any) -> Card:
    return Card(
        study="mias",
        protocol="patient",
        data="phantom",
        notice="Research use. Not a medical device.",
        labels=labels,
        positive="malignant",
        threshold=0.5,
        training=Recipe(epochs=1, scale="standard"),
        views=ViewParams(stored="one", prediction=True),
        input=WindowInput(kind="window", size=24, grid=ScanGridParams(size=192, margin=2)),
        shape=PIXELS.shape[1:],
    ).model_copy(update=changes)


@pytest.fixture(scope="module", params=[TWO, THREE], ids=["two labels", "three labels"])
def labels(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture(scope="module")
def network(labels: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("network") / "network.keras"
    build_network("small_cnn", PIXELS.shape[1:], len(labels), 3).save(file)
    return file


@pytest.fixture
def tracked(database: str, tmp_path: Path) -> Iterator[str]:
    """An MLflow database of the test's own, with an experiment in it."""
    former = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(database)
    yield mlflow.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_tracking_uri(former)


def load(network: Path, card: Card) -> PackagedClassifier:
    file = network.with_name("card.json")
    file.write_text(card.model_dump_json())
    write_manifest(network.parent)
    model = PackagedClassifier()
    model.load_context(SimpleNamespace(artifacts={"network.keras": str(network), "card.json": str(file)}))
    return model


def ask(network: Path, card: Card, pixels: Any = PIXELS) -> pd.DataFrame:
    return load(network, card).predict(None, pixels)


def encode(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(content, "PNG")
    return content.getvalue()


def test_it_answers_a_row_an_image_with_the_networks_own_probabilities(
    network: Path, labels: tuple[str, ...]
) -> None:
    from mammoscan.models.registry import load_model

    card = make_card(labels)
    answer = ask(network, card)
    shares = [f"p_{label}" for label in labels]
    threshold = ["threshold"] if len(labels) == 2 else []
    assert list(answer.columns) == ["label", *shares, *threshold, "warnings", "error"]
    expected = predict_probabilities(
        load_model(network),
        PIXELS,
        np.arange(5),
        recipe=card.training,
        views=card.views,
        machine=MachineParams(),
    )
    np.testing.assert_array_equal(answer[shares].to_numpy(), expected.astype(float))
    warm = ask(network, card.model_copy(update={"temperature": 3.0}))
    np.testing.assert_allclose(warm[shares], apply_temperature(expected, 3.0), atol=1e-7)


def test_its_preprocessing_is_the_cards(network: Path, labels: tuple[str, ...]) -> None:
    recipe = make_card(labels).training
    other = ask(network, make_card(labels, training=recipe.model_copy(update={"scale": "unit"})))
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


@pytest.mark.parametrize(
    "wrong",
    [PIXELS + 0.5, PIXELS.astype(int) * 2, PIXELS[0], [], "text"],
    ids=["fractions", "too bright", "one without a batch", "nothing", "text"],
)
def test_numbers_that_are_no_images_are_refused(network: Path, labels: tuple[str, ...], wrong: Any) -> None:
    with pytest.raises(MammoscanError, match=r"^images: found .* expected"):
        ask(network, make_card(labels), wrong)


def test_files_are_answered_as_their_pixels_are_and_bad_ones_with_their_reason(
    network: Path, labels: tuple[str, ...]
) -> None:
    card = make_card(labels)
    files = [encode(PIXELS[0]), b"nonsense", base64.b64encode(encode(PIXELS[1])).decode(), "äöü"]
    answer = ask(network, card, pd.DataFrame({"file": ["a.png", "b.png", "c.png", "d.png"], "image": files}))
    shares = [f"p_{label}" for label in labels]
    expected = ask(network, card, PIXELS[:2])
    np.testing.assert_allclose(answer.loc[[0, 2], shares].astype(float), expected[shares], atol=1e-6)
    assert list(answer.loc[[0, 2], "label"]) == list(expected["label"])
    assert answer["error"].notna().tolist() == [False, True, False, True]
    assert answer.loc[1, "error"].startswith("b.png")
    assert "base64" in answer.loc[3, "error"]
    assert answer.loc[1, "label"] is None
    assert answer.loc[1, shares[0]] is None
    assert "taken as it is" in answer.loc[0, "warnings"][0]
    # JSON knows no NaN.
    json.dumps(answer.to_dict("records"), allow_nan=False)
    with pytest.raises(MammoscanError, match="expected a column image"):
        ask(network, card, pd.DataFrame({"picture": files}))
    assert list(load(network, card).predict(None, {"image": files[:1]})["error"]) == [None]


def test_what_looks_like_no_training_image_is_warned_of(network: Path, labels: tuple[str, ...]) -> None:
    levels = fit_reference(describe_levels(PIXELS), np.arange(5), 0.99, floor_levels(1))
    features = fit_reference(np.random.default_rng(0).normal(size=(50, 64)), np.arange(50), 0.99)
    reference = {"levels": levels | {"limit": 50.0}, "features": features | {"limit": 1e9}}
    from mammoscan.models.registry import load_model

    classifier = Classifier(load_model(network), make_card(labels), reference)
    shown = np.concatenate([PIXELS[:1], np.zeros_like(PIXELS[:1])])
    assert list(classifier.classify(shown)["warnings"]) == [
        [],
        [f"{OUT_OF_DISTRIBUTION_WARNING}: its grey levels"],
    ]
    assert classifier.classify(shown[:0]).empty
    unsure = Classifier(
        load_model(network), make_card(labels), reference | {"features": features | {"limit": 0.0}}
    )
    assert unsure.classify(PIXELS[:1])["warnings"][0] == [
        f"{OUT_OF_DISTRIBUTION_WARNING}: what the network sees in it"
    ]


def test_a_picture_is_made_ready_classified_and_explained(network: Path, labels: tuple[str, ...]) -> None:
    load(network, make_card(labels))
    classifier = Classifier.load(network.parent)
    image = classifier.prepare(encode(PIXELS[0]), "x.png")
    assert image.notes == ["taken as it is: 24 x 24 pixels, already cut and standardised"]
    assert image.scan is None
    pixels = image.pixels
    assert pixels is not None
    heat = classifier.explain(pixels)
    assert (heat.shape, heat.dtype) == ((24, 24), np.float32)
    assert not np.array_equal(heat, classifier.explain(pixels[None], labels[0])) or not np.array_equal(
        heat, classifier.explain(pixels[None], labels[1])
    )
    # Its answers are means over all views, and so is where they come from.
    turned = classifier.explain(make_view(pixels, 5), labels[0])
    np.testing.assert_allclose(turned, make_view(classifier.explain(pixels, labels[0]), 5), atol=1e-4)
    with pytest.raises(MammoscanError, match="found label 'x'"):
        classifier.explain(pixels, "x")
    assert classifier.scale(PIXELS).dtype == np.float32
    with pytest.raises(MammoscanError, match=r"expected uint8 of shape \[N, 24, 24, 1\]"):
        classifier.classify(PIXELS[:, :20])
    with pytest.raises(MammoscanError, match=r"holds no card\.json"):
        Classifier.load(network.parent / "nowhere")


@pytest.mark.slow
def test_onnx_says_the_same_and_is_kept_only_then(
    network: Path, labels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    load(network, make_card(labels))
    folder = network.parent
    with pytest.raises(MammoscanError, match="kedro run --pipeline export"):
        Classifier.load(folder, "onnx")
    with pytest.raises(MammoscanError, match=r"images are \[20, 24, 1\]"):
        export_model(folder, PIXELS[:, :20], 3)
    with monkeypatch.context() as patch:
        patch.setattr("mammoscan.serving.export.MAX_DIFFERENCE", -1.0)
        with pytest.raises(MammoscanError, match="the ONNX file was not kept"):
            export_model(folder, PIXELS, 3)
    assert not list(folder.glob("*onnx*"))
    parity = export_model(folder, PIXELS, 3)
    assert parity["images"] == 3
    assert 0 <= parity["largest_difference"] < 1e-4
    keras, onnx = (Classifier.load(folder, runtime) for runtime in ("keras", "onnx"))
    shares = [f"p_{label}" for label in labels]
    np.testing.assert_allclose(onnx.classify(PIXELS)[shares], keras.classify(PIXELS)[shares], atol=1e-5)
    assert onnx.classify(PIXELS[:0]).empty
    (folder / "network.onnx").unlink()


def test_it_is_logged_with_its_answers_its_card_and_the_package(
    network: Path, labels: tuple[str, ...], tracked: str
) -> None:
    extra = network.with_name("some.md")
    extra.write_text("# Model card")
    with mlflow.start_run(experiment_id=tracked, tags={"study": "mias", "data": "phantom"}) as run:
        log_model(network, make_card(labels), {"model_card.md": extra})
    folder = find_model("mias", run.info.run_id, mlflow.get_tracking_uri()).parent
    model = mlflow.models.Model.load(folder)
    outputs = ["label", *(f"p_{label}" for label in labels), *(["threshold"] if len(labels) == 2 else [])]
    assert model.signature.outputs.input_names() == [*outputs, "warnings", "error"]
    # Arrays of images and tables of files are both taken: no one schema holds both.
    assert model.signature.inputs is None
    assert model.metadata["data"] == "phantom"
    assert Card.read(folder / "artifacts" / "card.json") == make_card(labels)
    assert (folder / "artifacts" / "model_card.md").read_text() == "# Model card"
    assert (folder / "code" / "mammoscan" / "serving" / "pyfunc_model.py").is_file()
    assert not list(folder.rglob("*.pkl"))
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert not [line for line in lines if "mammoscan" in line]
    assert [line for line in lines if line.startswith("pydicom==")]
    # A phantom's model must be named by its run.
    with pytest.raises(MammoscanError, match=rf"mammoscan-mias.*{run.info.run_id} \(phantom data\)"):
        find_model("mias", "latest", mlflow.get_tracking_uri())


@pytest.mark.parametrize(
    ("data", "protocol", "name"),
    [
        ("real", "patient", "mammoscan-mias"),
        ("phantom", "patient", None),
        ("modified", "patient", None),
        ("real", "author", None),
    ],
)
def test_only_what_was_trained_on_real_patients_kept_apart_is_registered(
    data: str, protocol: str, name: str | None
) -> None:
    assert name_registered(make_card(TWO, data=data, protocol=protocol)) == name


def test_a_registered_version_carries_the_headline_and_is_no_champion(tracked: str, tmp_path: Path) -> None:
    network = tmp_path / "network.keras"
    build_network("small_cnn", PIXELS.shape[1:], 2, 3).save(network)
    columns = {"auc_within_folds": "0.70 [0.60, 0.80]", "patients": "80"}
    for number in ("1", "2"):
        with mlflow.start_run(experiment_id=tracked) as run:
            address = log_model(network, make_card(TWO, data="real"))
            assert address == f"models:/mammoscan-mias/{number}"
            describe_version(address, columns, run.info.run_id)
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("mammoscan-mias", "candidate")
    assert str(version.version) == "2"
    assert version.tags == columns
    assert version.description.startswith(
        "auc within folds: 0.70 [0.60, 0.80]; patients: 80. The report is in run "
    )
    assert list(client.get_registered_model("mammoscan-mias").aliases) == ["candidate"]


def test_latest_is_the_newest_registered_version(tracked: str, tmp_path: Path) -> None:
    network = tmp_path / "network.keras"
    build_network("small_cnn", PIXELS.shape[1:], 2, 3).save(network)
    for threshold in (0.1, 0.2):
        with mlflow.start_run(experiment_id=tracked):
            log_model(network, make_card(TWO, data="real", threshold=threshold))
    uri = mlflow.get_tracking_uri()
    assert Classifier.load(find_model("mias", "latest", uri)).card.threshold == 0.2
    assert Classifier.load(find_model("mias", "models:/mammoscan-mias/1", uri)).card.threshold == 0.1

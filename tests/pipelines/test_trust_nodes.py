"""What an answer is worth: the out-of-distribution check, the section of the report, and the model's card."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from histories import make_history
from mammoscan.evaluation.calibration import COLDEST, HOTTEST
from mammoscan.evaluation.out_of_distribution import AS_IS
from mammoscan.models.registry import build_network
from mammoscan.params import (
    CropParams,
    EvaluationParams,
    MachineParams,
    PackParams,
    Question,
    Recipe,
    ScanGridParams,
    ViewParams,
)
from mammoscan.pipelines.trust import nodes
from mammoscan.records.card import Card, ImageInput, ModelInput
from mammoscan.records.history import Histories
from mammoscan.records.run_info import RunInfo
from mammoscan.reporting.model_card import build_metadata, list_limits, write_markdown
from mammoscan.reporting.trust_section import say_rule, write_trust_section
from mammoscan.serving.log_model import name_registered
from records import make_dataset_record

REFERENCE = {"levels": {"limit": 3.21}, "features": {"limit": 4.56}}
QUESTION = Question(
    title="T", text="Is it?", unit="regions", labels=("benign", "malignant"), positive="malignant"
)
EVALUATION = EvaluationParams(
    threshold={"rule": "sensitivity", "at": 0.8, "prevalence": 0.2}, resamples=50, metadata_columns=()
)
TRAINING = Recipe(epochs=3, scale="unit")
MACHINE = MachineParams(device="cpu")
RNG = np.random.default_rng(0)
SIZE = 60
SAMPLES = pd.DataFrame(
    {
        "sample_id": [f"s{i}" for i in range(SIZE)],
        "patient_id": [f"p{i // 2}" for i in range(SIZE)],
        "label": np.where(np.arange(SIZE) % 4 < 2, "benign", "malignant"),
    }
)
FOLDS = pd.DataFrame({"sample_id": SAMPLES["sample_id"], "row": range(SIZE), "fold_0": "train"})
# Smooth images: noise is what they are not.
PIXELS = (
    np.clip(
        np.linspace(60, 160, 24)[None, :, None, None]
        + 20 * RNG.normal(size=(SIZE, 1, 1, 1))
        + 3 * RNG.normal(size=(SIZE, 24, 24, 1)),
        1,
        254,
    )
).astype(np.uint8)


@pytest.fixture(scope="module")
def network() -> Any:
    return build_network("small_cnn", (24, 24, 1), 2, 0)


@pytest.fixture(scope="module")
def flagged(network: Any) -> pd.DataFrame:
    rows = pd.DataFrame({"row": np.arange(SIZE), "role": np.where(np.arange(SIZE) < 40, "train", "test")})
    return nodes.measure_out_of_distribution(network, SAMPLES, PIXELS, rows, TRAINING, EVALUATION, MACHINE)


@pytest.fixture(scope="module")
def trust(flagged: pd.DataFrame) -> dict[str, Any]:
    positive = SAMPLES["label"] == "malignant"
    score = 1 / (1 + np.exp(-2.0 * (positive - 0.5) - 2 * RNG.normal(size=SIZE)))
    predictions = SAMPLES.assign(
        model="cnn", fold=np.arange(SIZE) // 2 % 3, p_benign=1 - score, p_malignant=score
    )
    others = predictions.assign(model="majority", p_benign=0.5, p_malignant=0.5)
    return nodes.measure_trust(
        pd.concat([predictions, others]),
        QUESTION,
        EVALUATION,
        {"out_of_distribution": pd.concat([flagged, flagged])},
    )


@pytest.fixture(scope="module")
def card(trust: dict[str, Any]) -> Card:
    return write_card(trust=trust)


def measure(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "undefined": 0, "note": ""}


def write_card(
    kind: str = "phantom",
    pipeline: str = "mias",
    known: bool = True,
    shared: int = 0,
    folds: pd.DataFrame | None = None,
    **more: Any,
) -> Card:
    subgroups = pd.DataFrame(
        {
            "model": ["cnn", "majority", "cnn"],
            "by": "tissue",
            "subgroup": ["F", "F", "D"],
            "samples": 10,
            "patients": 5,
            "metric": "auc",
            "value": [0.7, 0.5, np.nan],
            "low": [0.6, 0.4, np.nan],
            "high": [0.8, 0.6, np.nan],
            "note": ["", "", "too few patients to say anything"],
        }
    )
    record = make_dataset_record(
        kind=kind, patients_known=known, citation="Someone (1994)", licence="research", limits=("Films.",)
    )
    run_info = RunInfo(
        pipeline=pipeline,
        started=0,
        run_id="r1",
        commit="c1",
        command=None,
        python="3.11",
        machine="",
        versions={"mammoscan": "0.1", "keras": "3"},
    )
    blocks = {
        "record": record,
        "run_info": run_info,
        "model_input": nodes.describe_windows(CropParams(kind="window", size=24), ScanGridParams(), PIXELS),
        "samples": SAMPLES,
        "folds": FOLDS if folds is None else folds,
        "question": QUESTION,
        "training": TRAINING,
        "views": ViewParams(),
        "evaluation": EVALUATION,
        "metrics": {
            "cnn": {"auc": measure(0.8), "accuracy": measure(0.7)},
            "majority": {"auc": measure(0.5)},
        },
        "leak_audit": {"patient": {"count": shared, "share": shared / 100}},
        "histories": Histories(folds=[make_history(best_epoch=best, parameters=1234) for best in (2, 3, 4)]),
    }
    if "trust" not in more:
        return nodes.write_card(**blocks)
    return nodes.write_card(**blocks, final=make_history(3), reference=REFERENCE, subgroups=subgroups, **more)


def test_held_out_images_are_in_distribution_and_noise_is_not(flagged: pd.DataFrame) -> None:
    assert len(flagged) == 60
    shares = flagged.groupby("shown")["out_of_distribution"].mean()
    assert shares[AS_IS] < 0.3
    assert shares["noise"] == 1
    assert set(flagged["sample_id"]) == set(SAMPLES["sample_id"][40:])


def test_more_images_than_needed_are_drawn_from(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_REFERENCES", 20)
    monkeypatch.setattr(nodes, "MIN_REFERENCES", 20)
    first, second = (
        nodes.fit_out_of_distribution(network, SAMPLES, PIXELS, FOLDS, TRAINING, EVALUATION, MACHINE)
        for _ in range(2)
    )
    assert first == second
    monkeypatch.setattr(nodes, "MAX_REFERENCES", 60)
    whole = nodes.fit_out_of_distribution(network, SAMPLES, PIXELS, FOLDS, TRAINING, EVALUATION, MACHINE)
    assert whole["levels"]["mean"] != first["levels"]["mean"]
    json.dumps(whole, allow_nan=False)


@pytest.mark.parametrize("role", ["out", "lockbox"])
def test_rows_that_are_out_have_no_part_in_the_reference(network: Any, role: str) -> None:
    folds = FOLDS.assign(fold_0=FOLDS["fold_0"].where(FOLDS["row"] < 40, role))
    known = nodes.fit_out_of_distribution(network, SAMPLES, PIXELS, folds, TRAINING, EVALUATION, MACHINE)
    bright = PIXELS.copy()
    bright[40:] = 255
    blind = nodes.fit_out_of_distribution(network, SAMPLES, bright, folds, TRAINING, EVALUATION, MACHINE)
    assert known == blind


def test_trust_is_measured_on_the_network_alone(trust: dict[str, Any]) -> None:
    assert trust["samples"] == SIZE
    assert trust["out_of_distribution"][AS_IS]["samples"] == 40
    json.dumps(trust, allow_nan=False)
    figure = nodes.draw_calibration(make_dataset_record(kind="phantom"), trust, QUESTION)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "as the network states them",
        "calibrated",
    ]


def test_the_section_says_what_it_costs_and_what_is_not_promised(trust: dict[str, Any]) -> None:
    section = write_trust_section(trust, QUESTION)
    words = " ".join(section.paragraphs)
    assert f"From a probability of {trust['threshold']:.2f} on" in words
    assert "at least 80 % of malignant" in words
    assert "On these patients, by whom it was chosen, the sensitivity is" in words
    assert "expected on new ones, with intervals over patients, are" in words
    assert [len(table.rows) for table in section.tables] == [5, 6, 3]
    assert "prevalence of 20 %" in section.tables[1].rows[2][0]
    assert section.tables[2].rows[0][0] == "held-out images (flagged wrongly)"
    three = write_trust_section(trust | {"threshold": None, "operation": {}}, QUESTION)
    assert len(three.tables) == 2
    fixed = write_trust_section(trust | {"rule": "fixed", "at": 0.5}, QUESTION).paragraphs[1]
    assert fixed.endswith("The rule: fixed at 0.5.")


@pytest.mark.parametrize(
    ("temperature", "words"),
    [(1, "no clear gain"), (2, "were surer of themselves"), (0.5, "were less sure of themselves")],
)
def test_a_temperature_is_said_in_words(trust: dict[str, Any], temperature: float, words: str) -> None:
    assert words in write_trust_section(trust | {"temperature": temperature}, QUESTION).paragraphs[0]


@pytest.mark.parametrize(
    ("low", "high", "error", "words"),
    [
        (0.4, 0.9, 0.2, ("the probabilities are too extreme", "more than chance explains")),
        (1.1, 1.9, 0.05, ("not extreme enough", "no more than chance explains")),
        (0.6, 1.4, 0.05, ("which includes 1", "no more than chance explains")),
    ],
)
def test_calibration_is_said_as_it_was_found(
    trust: dict[str, Any], low: float, high: float, error: float, words: tuple[str, ...]
) -> None:
    found = {
        "slope": {"value": (low + high) / 2, "low": low, "high": high},
        "ece": {"value": error},
        "ece_if_calibrated": {"value": 0.06, "low": 0.03, "high": 0.1},
    }
    sides = {side: values | found for side, values in trust["calibration"].items()}
    said = write_trust_section(trust | {"calibration": sides}, QUESTION).paragraphs[0]
    assert all(word in said for word in words)


def test_every_rule_is_said_in_words(trust: dict[str, Any]) -> None:
    said = {
        say_rule(trust | {"rule": rule, "at": 0.5}, "x")
        for rule in ("fixed", "sensitivity", "youden", "cost")
    }
    assert len(said) == 4


def test_the_card_holds_what_an_answer_needs_and_what_must_be_known(
    card: Card, trust: dict[str, Any]
) -> None:
    assert (card.threshold, card.temperature) == (trust["threshold"], trust["temperature"])
    assert card.input.model_dump() == {
        "kind": "window",
        "size": 24,
        "grid": {"size": 192, "margin": 2},
        "scan_side": 1024,
        "scales": (1.0,),
    }
    assert (card.epochs, card.run_id, card.shape) == (3, "r1", (24, 24, 1))
    assert card.subgroups[1].value is None
    assert card.command == "kedro run --pipeline mias"
    assert Card.model_validate_json(card.model_dump_json()) == card


def test_the_card_is_written_for_people_and_for_machines(card: Card) -> None:
    text, data = nodes.write_model_card(card), build_metadata(card)
    for words in (
        "# Model card: mias",
        "Trained on a phantom",
        "not a medical device",
        "60 regions of 30 patients: 30 benign, 30 malignant",
        "| AUC | 0.80 | [0.70, 0.90] |",
        "| tissue D | 10 | 5 | not measured |  | too few patients to say anything |",
        "- Films.",
        "kedro run --pipeline mias",
        "| keras | 3 |",
        "where 20 % are malignant",
    ):
        assert words in text, words
    assert data["network_data_format"]["inputs"]["image"]["spatial_shape"] == [24, 24]
    assert data["label_classes"] == {"0": "benign", "1": "malignant"}
    assert data["eval_metrics"]["auc"] == {"value": 0.8, "low": 0.7000000000000001, "high": 0.9}
    assert data["required_packages_version"]["keras"] == "3"
    json.dumps(data, allow_nan=False)


def test_the_lockbox_counts_among_no_patients_that_were_used(trust: dict[str, Any]) -> None:
    folds = FOLDS.assign(fold_0=np.where(FOLDS["row"] < 10, "lockbox", FOLDS["fold_0"]))
    card = write_card(folds=folds, trust=trust)
    rest = SAMPLES[10:]
    assert (card.samples, card.patients) == (len(rest), rest["patient_id"].nunique())
    assert card.label_samples == rest["label"].value_counts().to_dict()
    assert card.lockbox_patients == SAMPLES["patient_id"][:10].nunique()
    assert f"in no number of this card: {card.lockbox_patients} patients" in write_markdown(card)
    assert "lockbox" not in write_markdown(write_card(trust=trust))


def test_the_card_of_an_articles_own_procedure_says_so(trust: dict[str, Any]) -> None:
    card = write_card("real", "mias_author")
    text = write_markdown(card)
    assert "test images are known from training" in card.notice
    assert "Calibration" not in text
    assert "Subgroups" not in text
    assert any("does not notice" in limit for limit in list_limits(card))
    assert (card.temperature, card.threshold) == (1.0, 0.5)
    assert "modified" in write_card("modified", trust=trust).notice
    assert write_card("real", trust=trust).notice == "Research use. Not a medical device."


def test_an_image_file_is_taken_whole() -> None:
    found = nodes.describe_images(PackParams(size=32, channels=3), np.zeros((2, 32, 32, 3), np.uint8))
    assert found == ModelInput(input=ImageInput(kind="image", size=(32, 32), channels=3), shape=(32, 32, 3))


def test_what_the_division_kept_apart_is_said_from_the_audit(trust: dict[str, Any]) -> None:
    apart, unknown, shared = (
        write_card("real", trust=trust, known=known, shared=shared)
        for known, shared in ((True, 0), (False, 0), (True, 97))
    )
    assert (apart.division, apart.patients_apart) == ("patients kept apart", True)
    assert (unknown.division, unknown.patients_apart) == ("images kept apart; patients unknown", True)
    assert (unknown.patients, "Images kept apart; patients unknown." in unknown.notice) == (None, True)
    assert shared.division == "images divided; 97 % of the test images share a patient with training"
    assert not shared.patients_apart
    assert name_registered(apart) == name_registered(unknown) == "mammoscan-mias"
    assert name_registered(shared) is None
    for card in (unknown, shared):
        text = nodes.write_model_card(card)
        assert card.division in text
        assert "patients kept apart" not in text


@pytest.mark.parametrize(
    ("value", "words"), [(COLDEST, "all but perfect"), (HOTTEST, "hardly anything"), (1.4, "")]
)
def test_a_temperature_at_the_end_of_its_range_is_called_degenerate(
    trust: dict[str, Any], value: float, words: str
) -> None:
    fitted = trust["fitted_temperature"] | {"value": value}
    said = write_trust_section(trust | {"fitted_temperature": fitted}, QUESTION).paragraphs[0]
    assert ("degenerate" in said) == bool(words)
    assert words in said

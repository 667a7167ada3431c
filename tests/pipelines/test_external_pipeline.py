"""A finished model on images that it was not trained on, by the command that a person types."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mammoscan.data.image_dataset import open_images
from mammoscan.errors import MammoscanError
from mammoscan.params import ExternalParams, PhantomParams
from mammoscan.pipelines.external.nodes import name_labels
from mammoscan.records.card import Card
from projects import FinishedRun, Project, make_project


@pytest.fixture(scope="module")
def tracked(
    finish_pipeline: Callable[[str], FinishedRun], tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project of its own with what MLflow knows of a finished model, which nothing here may change."""
    project = make_project(tmp_path_factory.mktemp("external") / "project")
    shutil.copy(finish_pipeline("pneumonia").project.folder / "mlflow.db", project.folder)
    return project


def run_external(project: Project, model: str, source: Path, *params: str) -> tuple[str, Path]:
    """Run the pipeline, and return what it said and the folder of its results."""
    words = [f"external.model={model}", f"external.source={source}", "external.resamples=200", *params]
    done = project.run_pipeline("external", "--params", ",".join(words))
    return done.errors, project.folder / "data" / "test" / "08_reporting" / "external"


def test_a_model_of_one_phantom_is_tested_on_another(
    finish_pipeline: Callable[[str], FinishedRun], tracked: Project, tmp_path: Path
) -> None:
    finished = finish_pipeline("pneumonia")
    other = tmp_path / "other"
    open_images("pneumonia", "phantom", PhantomParams(patients=24, seed=99, workers=2), 2.0, other)
    errors, folder = run_external(
        tracked, finished.tracked.info.run_id, other, r"external.patient_from=path:(person\d+|IM-\d+)"
    )
    assert "phantom data" in errors
    card = finished.read_json("pneumonia.card")
    assert f"among the {card['samples']:,} images that the model was trained on" in errors
    audit = json.loads((folder / "leak_audit.json").read_text())
    assert audit["views"]["count"] == 0
    metrics = json.loads((folder / "metrics.json").read_text())["cnn"]
    drift = json.loads((folder / "drift.json").read_text())["measures"]
    assert drift["auc"]["internal"] == card["metrics"]["auc"]
    assert drift["auc"]["external"] == metrics["auc"]
    difference = drift["auc"]["difference"]
    assert difference["value"] == pytest.approx(metrics["auc"]["value"] - card["metrics"]["auc"]["value"])
    assert difference["low"] < difference["value"] < difference["high"]
    assert {"sensitivity", "specificity", "slope", "brier"} <= set(drift)
    page = html.unescape((folder / "report.html").read_text())
    assert "PHANTOM" in page
    assert "Beside the model's own test" in page
    assert "none of which the model had seen in training" in page
    assert "The model was trained on synthetic images" in page
    assert finished.tracked.info.run_id in page
    run = max(tracked.list_runs(), key=lambda run: run.info.start_time)
    assert run.data.tags["study"] == "external"
    assert run.data.metrics["auc"] == metrics["auc"]["value"]


def test_a_models_own_training_images_are_known_again(
    finish_pipeline: Callable[[str], FinishedRun], tracked: Project
) -> None:
    finished = finish_pipeline("pneumonia")
    own = Path(finished.read_json("pneumonia.raw")["folder"])
    errors, folder = run_external(tracked, finished.tracked.info.run_id, own)
    audit = json.loads((folder / "leak_audit.json").read_text())
    assert audit["exact"]["share"] == 1
    assert "on those the figures say nothing of new images" in errors
    page = html.unescape((folder / "report.html").read_text())
    assert "of which the model had seen some in training" in page
    assert "patients unknown" in page


def test_what_is_not_said_is_one_line(project: Project) -> None:
    process = project.start_kedro("run", "--env", "test", "--pipeline", "external")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "external.model: found nothing, expected a run's id" in output + errors
    assert "Traceback" not in output + errors


class TestLabels:
    IMAGES = pd.DataFrame({"source": ["a", "b", "c", "d"], "label": ["normal", "PNEUMONIA", "1", "other"]})

    @pytest.fixture
    def card(self) -> Card:
        # Only what labels need; the rest is checked where a model is packaged.
        return Card.model_construct(labels=("Normal", "Opacity"), positive="Opacity")

    def test_case_does_not_matter_and_other_names_are_mapped(self, card: Card) -> None:
        external = ExternalParams.model_validate({"labels": "Opacity=PNEUMONIA+1"})
        chosen, rejected = name_labels(self.IMAGES, card, external)
        assert chosen["label"].tolist() == ["Normal", "Opacity", "Opacity"]
        assert chosen["target"].tolist() == [0, 1, 1]
        assert rejected.to_dict("records") == [
            {"source": "d", "reason": "labelled other: the model knows Normal, Opacity"}
        ]

    def test_labels_that_the_model_does_not_know_are_one_line(self, card: Card) -> None:
        with pytest.raises(
            MammoscanError, match=r"images labelled normal \(1\), .*Opacity among them; .*labels="
        ):
            name_labels(self.IMAGES, card, ExternalParams())
        with pytest.raises(
            MammoscanError, match=r"external.labels names 'Sick', expected the model's labels"
        ):
            name_labels(self.IMAGES, card, ExternalParams.model_validate({"labels": {"Sick": "1"}}))

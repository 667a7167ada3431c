"""What the studies of stained tissue say in their reports: patients beside images, slides, claims."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from histories import make_epoch, make_history
from mammoscan.figures.slide_map import draw_probability_map as draw_map
from mammoscan.figures.slide_map import pick_slides
from mammoscan.params import EvaluationParams, Question, SplitParams
from mammoscan.pipelines.tissue import nodes
from mammoscan.records.history import Histories
from mammoscan.records.section import Section
from records import make_dataset_record

EVALUATION = EvaluationParams(resamples=50, metadata_columns=())
BREAKHIS = Question(text="?", labels=("benign", "malignant"), positive="malignant")
IDC = Question(text="?", labels=("no_idc", "idc"), positive="idc")


def measure(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "note": ""}


AUDIT = {"patient": {"share": 0.8}}
METRICS = {
    "cnn": {
        "sensitivity": measure(0.9),
        "specificity": measure(0.5),
        "precision": measure(0.64),
        "f1": measure(0.75),
        "accuracy": measure(0.7),
        "balanced_accuracy": measure(0.7),
        "auc": measure(0.83),
        "samples": 10,
        "labels": {"no_idc": {"samples": 7}, "idc": {"samples": 3}},
    }
}
HISTORIES = Histories(
    folds=[
        make_history(
            [
                make_epoch(1, accuracy=0.8, val_accuracy=0.97, seconds=2.0),
                make_epoch(2, accuracy=1.0, val_accuracy=0.9, seconds=3.0),
            ]
        )
    ]
)


@pytest.fixture
def biopsies() -> pd.DataFrame:
    patients = np.repeat(np.arange(16), 4)
    malignant = patients % 2 == 1
    return pd.DataFrame(
        {
            "sample_id": [f"s{number}" for number in range(64)],
            "patient_id": patients.astype(str),
            "label": np.where(malignant, "malignant", "benign"),
            "group": np.where(malignant, "ductal_carcinoma", "adenosis"),
            "magnification": np.tile(["40", "100", "200", "400"], 16),
        }
    )


def answer(samples: pd.DataFrame, question: Question, scores: np.ndarray) -> pd.DataFrame:
    negative = next(label for label in question.labels if label != question.positive)
    table = samples[["sample_id", "patient_id", "label"]].assign(model="cnn", fold=0)
    return table.assign(**{f"p_{negative}": 1 - scores, f"p_{question.positive}": scores})


class TestBreakdown:
    def describe(self, samples: pd.DataFrame, scores: np.ndarray) -> dict[str, Any]:
        predictions = answer(samples, BREAKHIS, scores)
        table = nodes.score_breakdown(predictions, samples, BREAKHIS, EVALUATION)
        # As the catalog hands it on: through a file.
        table = pd.read_csv(io.StringIO(table.to_csv(index=False)))
        return nodes.describe_breakdown(table, samples, predictions, EVALUATION)

    def test_every_magnification_and_type_has_its_row(self, biopsies: pd.DataFrame) -> None:
        section = self.describe(biopsies, np.where(biopsies["label"] == "malignant", 0.9, 0.1))
        [table] = section.tables
        assert [row[0] for row in table.rows] == [
            "All images",
            *(f"Magnification {times}X" for times in (40, 100, 200, 400)),
            "Type adenosis",
            "Type ductal carcinoma",
        ]
        assert table.rows[0][1:3] == (64, 16)
        assert table.rows[0][3] == "100 % [78, 100]"
        assert all(len(row) == len(table.columns) for row in table.rows)

    def test_it_tells_what_a_constant_answer_reaches(self, biopsies: pd.DataFrame) -> None:
        unequal = biopsies.iloc[: -4 * 5]
        section = self.describe(unequal, np.full(len(unequal), 0.1))
        assert "Always answering benign is right for 55 % of the images" in " ".join(section.paragraphs)

    def test_too_few_patients_come_first(self, biopsies: pd.DataFrame) -> None:
        few = biopsies[biopsies["patient_id"].astype(int) < 7]
        said = self.describe(few, np.full(len(few), 0.9)).paragraphs
        assert said[0].startswith(
            "The rarest label has 3 patients, fewer than 10: too few patients to say anything"
        )
        others = biopsies.assign(
            sample_id="other_" + biopsies["sample_id"],
            patient_id="other_" + biopsies["patient_id"].astype(str),
        )
        enough = self.describe(pd.concat([biopsies, others], ignore_index=True), np.full(128, 0.9)).paragraphs
        assert "too few" not in " ".join(enough)


@pytest.fixture
def patches() -> pd.DataFrame:
    rows = [
        {
            "sample_id": f"{slide}_{x}_{y}",
            "patient_id": str(slide),
            "x": 1 + 50 * x,
            "y": 101 + 50 * y,
            "label": "idc" if x < slide else "no_idc",
        }
        for slide in range(4)
        for x in range(5)
        for y in range(3)
    ]
    return pd.DataFrame(rows)


class TestSlides:
    def test_the_auc_within_a_slide_ranks_its_patches_only(self, patches: pd.DataFrame) -> None:
        # Right within each slide, whatever the slides' own levels are.
        scores = 0.5 - 0.1 * patches["patient_id"].astype(int) + np.where(patches["label"] == "idc", 0.05, 0)
        section = nodes.describe_slides(answer(patches, IDC, scores.to_numpy()), patches, IDC)
        [table] = section.tables
        assert [row[0] for row in table.rows] == ["0", "1", "2", "3"]
        assert [row[3] for row in table.rows] == [None, "1.00", "1.00", "1.00"]
        assert table.rows[1][1:3] == (15, "20 %")
        assert "Over 3 of 4 slides that hold both labels its median is 1.00" in section.paragraphs[1]
        assert section.figures == ("probability_map",)

    def test_slides_of_one_label_say_nothing(self, patches: pd.DataFrame) -> None:
        plain = patches[patches["label"] == "no_idc"]
        section = nodes.describe_slides(answer(plain, IDC, np.full(len(plain), 0.3)), plain, IDC)
        assert "No slide holds patches of both labels" in section.paragraphs[1]

    def test_the_map_shows_each_patch_in_its_place(self, patches: pd.DataFrame) -> None:
        scores = patches["x"].to_numpy() / 1000
        record = make_dataset_record(kind="phantom")
        figure = nodes.draw_probability_map(record, answer(patches, IDC, scores), patches, IDC)
        images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
        # A truth and a prediction for each of four slides.
        assert [image.shape for image in images[:8]] == [(3, 5)] * 8
        np.testing.assert_allclose(images[1][0], [0.001, 0.051, 0.101, 0.151, 0.201])
        assert images[6].tolist() == [[1, 1, 1, 0, 0]] * 3

    def test_a_patch_that_is_not_there_stays_empty(self, patches: pd.DataFrame) -> None:
        one = patches[patches["patient_id"] == "1"].iloc[1:]
        figure = nodes.draw_probability_map(
            make_dataset_record(), answer(one, IDC, np.full(14, 0.5)), one, IDC
        )
        assert figure.axes[0].images[0].get_array().mask.tolist()[0] == [True] + [False] * 4

    def test_the_slides_shown_go_from_the_least_to_the_most_tumour(self, patches: pd.DataFrame) -> None:
        places = patches.assign(is_positive=patches["label"] == "idc")
        assert pick_slides(places, 2) == ["0", "2"]

    def test_without_predictions_there_is_no_map(self) -> None:
        nothing = pd.DataFrame(columns=["patient_id", "x", "y", "is_positive", "probability"])
        figure = draw_map(nothing, "", positive="idc")
        assert "No patches" in figure.axes[0].texts[0].get_text()


class TestClaims:
    def read(self, section: Section) -> dict[Any, Any]:
        [table] = section.tables
        assert all(len(row) == len(table.columns) for row in table.rows)
        return {row[0]: row[1:3] for row in table.rows}

    def test_breakhis_sets_the_areas_of_hard_labels_and_probabilities_side_by_side(self) -> None:
        folds = pd.DataFrame({"fold_0": ["train"] * 16 + ["validation"] * 4 + ["test"] * 5})
        section = nodes.describe_breakhis_claims(METRICS, HISTORIES, folds, AUDIT)
        rows = self.read(section)
        assert rows["ROC-AUC of hard labels"] == ("0.692", "0.70")
        assert rows["ROC-AUC of probabilities"] == ("", "0.83 [0.73, 0.93]")
        assert rows["Accuracy on the images that chose the epoch"] == ("98.3 %", "97 %")
        assert rows["Images to train"][1] == "16 + 4"
        said = " ".join(section.paragraphs)
        # .95 * .35 / .65 false alarms, hence (.95 + .488) / 2.
        assert "false alarms on 51 % of the benign images" in said
        assert "of about 0.72" in said
        assert "80 % of the tested images are of patients who have other images on the training side" in said

    def test_the_400x_images_tell_when_training_accuracy_is_whole(self) -> None:
        split = SplitParams(choose_epoch_on="test", together="image")
        section = nodes.describe_listed_claims(METRICS, HISTORIES, AUDIT, split)
        rows = self.read(section)
        assert rows["Training accuracy of 100 %"] == ("by about epoch 3", "by epoch 2")
        assert rows["Time to train"] == ("256 s", "5 s")
        assert "the tested images also chose the epoch" in section.paragraphs[1]

    def test_the_patches_are_held_against_the_more_frequent_answer(self) -> None:
        section = nodes.describe_patch_claims(METRICS, AUDIT, SplitParams())
        rows = self.read(section)
        assert rows["Always the more frequent answer"] == ("", "70 %")
        assert rows["Accuracy on the other patches"] == ("over 85 %", "70 % [60, 80]")
        assert "a part of the training images" in section.paragraphs[1]

    def test_what_is_not_defined_is_said_to_be_so(self) -> None:
        nothing = {"value": None, "low": None, "high": None}
        undefined = {"cnn": {**METRICS["cnn"], "auc": nothing, "specificity": nothing, "precision": nothing}}
        folds = pd.DataFrame({"fold_0": ["train", "test"]})
        rows = self.read(nodes.describe_breakhis_claims(undefined, HISTORIES, folds, AUDIT))
        assert rows["ROC-AUC of probabilities"][1] == "not defined"
        assert rows["Precision on malignant"][1] == "not defined"
        assert rows["ROC-AUC of hard labels"][1] == "not defined"

    @pytest.mark.parametrize(("weights", "shown"), [((2.0, 0.667), "2.000"), (None, "none")])
    def test_the_chest_article_stands_beside_ours_with_its_counts_and_weights(
        self, weights: tuple[float, ...] | None, shown: str
    ) -> None:
        folds = pd.DataFrame({"fold_0": ["train"] * 8 + ["validation", "test"]})
        question = Question(text="?", about="label", labels=("Normal", "Opacity"), positive="Opacity")
        histories = Histories(folds=[HISTORIES.folds[0].model_copy(update={"class_weights": weights})])
        measured = {"cnn": METRICS["cnn"] | {"log_loss": {"value": 0.3, "low": None, "high": None}}}
        section = nodes.describe_chest_claims(measured, histories, folds, AUDIT, question)
        rows = self.read(section)
        assert rows["Films to train"] == ("4,192", "8")
        assert rows["Films to validate"] == ("1,040", "1")
        assert rows["Films to test"] == ("624", "1")
        assert rows["Class weight of Normal"] == ("1.937", shown)
        assert rows["Test accuracy"] == ("91.19 %", "70 % [60, 80]")
        assert rows["Test loss"] == ("0.3132", "0.30")
        assert rows["Validation accuracy"][0] == "94.6 %"
        assert rows["Validation loss"][0] == "0.149"
        assert rows["Training stopped"][0] == "near epoch 10"
        assert "80 % of the tested films" in section.paragraphs[1]

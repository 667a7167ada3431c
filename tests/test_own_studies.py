from __future__ import annotations

from pathlib import Path

import pytest

from mammoscan.errors import MammoscanError
from mammoscan.own_studies import fill_in_studies, register_own_studies
from mammoscan.params import Question, TargetQuestion
from mammoscan.pipelines import targets
from mammoscan.studies import STUDIES

BLOCK = """
films:
  images: {source: /data/films, label_from: folder, patient_from: unknown}
  question: {labels: [normal, opacity]}
"""


def write_conf(folder: Path, text: str = BLOCK, name: str = "films") -> Path:
    (folder / "base").mkdir(parents=True, exist_ok=True)
    (folder / "base" / f"parameters_{name}.yml").write_text(text)
    return folder


@pytest.fixture(autouse=True)
def no_trace(tmp_path: Path):
    yield
    register_own_studies(tmp_path / "nothing")


def test_a_block_with_images_is_a_study_and_deleting_its_file_removes_it(tmp_path: Path) -> None:
    conf = write_conf(tmp_path, BLOCK + "  split: {folds: 3}\n")
    register_own_studies(conf)
    assert (STUDIES["films"].folds, STUDIES["films"].dataset, STUDIES["films"].own_images) == (
        3,
        "films",
        True,
    )
    (conf / "base" / "parameters_films.yml").unlink()
    register_own_studies(conf)
    assert "films" not in STUDIES


def test_a_study_of_the_package_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(
        MammoscanError, match="mias has images, but a study of this name comes with Mammoscan"
    ):
        register_own_studies(write_conf(tmp_path, BLOCK.replace("films:", "mias:", 1)))


def test_folds_are_checked_where_the_graph_is_built(tmp_path: Path) -> None:
    with pytest.raises(
        MammoscanError, match=r"films\.split\.folds is 1, expected a whole number from 2 to 20"
    ):
        register_own_studies(write_conf(tmp_path, BLOCK + "  split: {folds: 1}\n"))


def test_a_file_that_is_no_yaml_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MammoscanError, match=r"parameters_films\.yml is no YAML: .*; mend or delete it"):
        register_own_studies(write_conf(tmp_path, BLOCK + "  split: [}\n"))


def test_what_a_block_leaves_out_is_filled_in_and_what_it_says_stays() -> None:
    block = {
        "images": {"source": "x", "patient_from": "unknown"},
        "question": {"labels": {"normal": ["NORMAL"], "opacity": ["PNEUMONIA", 1]}},
        "pack": {"channels": 3},
        "training": {"epochs": 2},
    }
    other = {"source": "phantom"}
    found = fill_in_studies({"films": block, "mias": other})
    assert found["mias"] is other
    films = found["films"]
    assert films["pack"] == {"size": [96, 96], "channels": 3, "limit": None, "seed": 0, "workers": 4}
    assert (films["training"]["epochs"], films["training"]["patience"]) == (2, 8)
    question = Question.model_validate(films["question"])
    assert (question.labels, question.positive) == (("normal", "opacity"), "opacity")
    assert question.map_labels() == {
        "normal": "normal",
        "NORMAL": "normal",
        "opacity": "opacity",
        "PNEUMONIA": "opacity",
        "1": "opacity",
    }


def test_a_recipe_brings_its_images_and_its_training() -> None:
    block = {"images": {"source": "x"}, "question": {"labels": ["a", "b"]}, "recipe": "pretrained"}
    films = fill_in_studies({"films": block})["films"]
    assert (films["pack"]["size"], films["training"]["network"]["name"]) == ([224, 224], "densenet201")
    with pytest.raises(MammoscanError, match=r"films\.recipe is 'slow', expected one of: laptop, pretrained"):
        fill_in_studies({"films": block | {"recipe": "slow"}})


def test_a_block_without_labels_is_one_line() -> None:
    with pytest.raises(MammoscanError, match=r"films\.question\.labels: found nothing, expected the labels"):
        fill_in_studies({"films": {"images": {"source": "x"}}})


def test_a_study_of_numbers_has_no_labels_and_no_balance() -> None:
    block = {
        "images": {"source": "x", "patient_from": "unknown"},
        "question": {"kind": "numbers", "quantity": "age", "measured_in": "years"},
        "training": {"epochs": 3},
    }
    films = fill_in_studies({"films": block})["films"]
    question = TargetQuestion.model_validate(films["question"])
    assert (question.title, question.text) == ("films: age", "Which age (in years) does the image show?")
    assert (films["training"]["class_weights"], films["training"]["epochs"]) == ("none", 3)
    assert "balance" not in films


def test_the_graph_of_a_study_follows_its_kind(tmp_path: Path) -> None:
    question = "question: {kind: levels, levels: [low, middle, high]}"
    register_own_studies(
        write_conf(tmp_path, BLOCK.replace("question: {labels: [normal, opacity]}", question))
    )
    assert STUDIES["films"].kind == "levels"
    nodes = {node.name.rpartition(".")[2] for node in targets.create_pipeline(STUDIES["films"]).nodes}
    assert {"train_fold", "draw_agreement", "write_report"} <= nodes
    assert "draw_confusion_matrix" not in nodes
    with pytest.raises(
        MammoscanError, match=r"films\.question\.kind is 'age', expected one of: classes, numbers"
    ):
        register_own_studies(write_conf(tmp_path, BLOCK.replace("{labels", "{kind: age, labels")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "numbers", "levels": ["a", "b", "c"]}, "expected none; set kind to levels"),
        ({"kind": "levels", "levels": ["a", "b"]}, "expected at least 3 different ones"),
    ],
)
def test_levels_suit_the_kind(change: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TargetQuestion.model_validate({"text": "?", **change})

"""What a person gets who changes a parameter."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf.errors import InterpolationResolutionError
from pydantic import ValidationError

from mammoscan.errors import MammoscanError
from mammoscan.params import CropParams, PackParams, Question, Recipe
from mammoscan.studies import ABLATION, EXPERIMENTS, STUDIES
from projects import LoadConf

WITH_RECIPES = ("mias", "mias_normal", "mias_author")


def find_block(parameters: dict[str, Any], name: str) -> dict[str, Any]:
    for key in name.split("."):
        parameters = parameters[key]
    return parameters


class TestRecipes:
    @pytest.mark.parametrize("study", WITH_RECIPES)
    def test_the_articles_recipe_is_its_own_epochs_and_patience(
        self, load_conf: LoadConf, study: str
    ) -> None:
        training = load_conf(**{study: {"recipe": "article"}})["parameters"][study]["training"]
        assert (training["epochs"], training["patience"]) == (10_000, 3_000)

    def test_the_authors_studies_default_to_500_epochs_with_patience_150(self, load_conf: LoadConf) -> None:
        parameters = load_conf()["parameters"]
        for name in ("mias_author", *(f"mias_author_all.{name}" for name in EXPERIMENTS)):
            training = find_block(parameters, name)["training"]
            assert (training["epochs"], training["patience"]) == (500, 150), name

    def test_a_recipe_reaches_the_variants_that_only_take_a_flaw_away(self, load_conf: LoadConf) -> None:
        author = load_conf(mias_author={"recipe": "article"})["parameters"]["mias_author"]
        for name in ABLATION:
            assert author[name]["training"] == author["training"], name
        assert author["unbalanced"]["training"]["epochs"] == 275

    def test_a_recipe_reaches_all_six_experiments(self, load_conf: LoadConf) -> None:
        parameters = load_conf(mias_author_all={"recipe": "article"})["parameters"]["mias_author_all"]
        assert {parameters[name]["training"]["epochs"] for name in EXPERIMENTS} == {10_000}

    def test_one_value_of_a_recipe_can_be_asked_for_alone(self, load_conf: LoadConf) -> None:
        before, after = (
            load_conf(**asked)["parameters"]["mias"]["training"]
            for asked in ({}, {"mias": {"training": {"epochs": 7}}})
        )
        assert after == before | {"epochs": 7}

    def test_what_is_asked_for_wins_over_the_test_environment(self, load_conf: LoadConf) -> None:
        parameters = load_conf("test", mias={"training": {"epochs": 7}})["parameters"]
        assert parameters["mias"]["training"]["epochs"] == 7

    def test_an_unknown_recipe_is_refused(self, load_conf: LoadConf) -> None:
        with pytest.raises(
            (MammoscanError, InterpolationResolutionError), match=r"recipe is 'quick', expected one of"
        ):
            load_conf(mias={"recipe": "quick"})["parameters"]


class TestBlocks:
    def test_an_unknown_key_is_refused(self) -> None:
        with pytest.raises(ValidationError, match=r"epoch"):
            Recipe.model_validate({"epochs": 3, "epoch": 3})

    def test_nothing_changes_a_block_once_it_was_read(self) -> None:
        crop = CropParams(kind="window")
        with pytest.raises(ValidationError, match=r"frozen"):
            crop.size = 5

    def test_the_positive_label_must_be_a_label(self) -> None:
        with pytest.raises(
            ValidationError, match=r"positive is 'cancer', expected one of labels \['a', 'b'\]"
        ):
            Question(text="?", about="severity", labels=("a", "b"), positive="cancer")

    @pytest.mark.parametrize(
        ("block", "message"),
        [
            ({"network": "small_cnn"}, r"network\n.*dictionary or instance of NetworkParams"),
            (
                {"network": {"weights": "image_net"}},
                r"weights is 'image_net', expected none, imagenet or a file",
            ),
            ({"augmentation": {"zoom": [1.2, 0.8]}}, r"zoom is \[1.2, 0.8\], expected \[lowest, highest\]"),
            ({"augmentation": {"tilt": 3}}, r"augmentation.tilt"),
            (
                {"freeze": True, "phases": {"head_epochs": 1, "fine_rate": 1e-5}},
                r"freeze is true and phases is set",
            ),
            ({"prediction_draws": 3}, r"prediction_draws is 3 and augmentation is null"),
        ],
    )
    def test_a_recipe_that_makes_no_sense_is_refused(self, block: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            Recipe.model_validate({"epochs": 3, **block})

    def test_a_block_shows_itself_as_compact_json(self) -> None:
        shown = '{"kind":"window","size":48,"scales":[1.0],"normals_per_scan":3,"seed":0}'
        assert str(CropParams(kind="window")) == shown


class TestPacks:
    def test_one_number_is_a_square(self) -> None:
        assert PackParams(size=48).size == PackParams(size=(48, 48)).size == (48, 48)

    @pytest.mark.parametrize("size", [4, (48, 5000), (48, 4)])
    def test_a_size_that_no_network_takes_is_refused(self, size: Any) -> None:
        with pytest.raises(ValidationError, match=r"expected 8 to 4096 pixels a side"):
            PackParams(size=size)

    def test_the_recipe_chooses_images_and_training_together(self, load_conf: LoadConf) -> None:
        block = load_conf(pneumonia_author={"recipe": "article"})["parameters"]["pneumonia_author"]
        assert (block["pack"]["size"], block["training"]["patience"]) == ([500, 500], 3)


def test_patients_are_kept_apart_in_every_study_of_that_protocol(load_conf: LoadConf) -> None:
    parameters = load_conf()["parameters"]
    for study in STUDIES.values():
        split = find_block(parameters, study.name)["split"]
        if study.protocol == "patient":
            assert split["together"] == "patient"
            assert split["choose_epoch_on"] == "validation"

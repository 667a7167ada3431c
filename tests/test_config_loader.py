"""Who wins where files and the command line reach the same parameter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mammoscan.config_loader import ConfigLoader
from mammoscan.errors import MammoscanError
from mammoscan.settings import CONFIG_LOADER_ARGS

BASE = {
    "mias": {
        "recipe": "laptop",
        "recipes": {"laptop": {"epochs": 100, "network": {"name": "small_cnn"}}, "article": {"epochs": 1000}},
        "training": "${pick:recipe,${.recipe},${.recipes}}",
        "groups": ["CIRC"],
        "variant": {"training": "${mias.training}"},
    }
}
OWN = {
    "lungs": {
        "images": {"source": "/x"},
        "question": {"labels": ["no", "yes"]},
        "training": {"patience": None},
    }
}

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the parameters of two files and of the command line, as a run does."""

    def load(
        local: dict[str, Any] | None = None, base: dict[str, Any] = BASE, **asked: Any
    ) -> dict[str, Any]:
        for name, content in (("base", base), ("local", local or {})):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "parameters.yml").write_text(yaml.safe_dump(content, sort_keys=False))
        return ConfigLoader(str(tmp_path), runtime_params=asked or None, **CONFIG_LOADER_ARGS)["parameters"]

    return load


def test_the_command_lines_recipe_wins_over_local_training(load: Load) -> None:
    local = {"mias": {"training": {"epochs": 5}}}
    assert load(local)["mias"]["training"] == {"epochs": 5, "network": {"name": "small_cnn"}}
    asked = {"recipes": {"laptop": {"epochs": 7}}}
    assert load(local, mias=asked)["mias"]["training"]["epochs"] == 7
    assert load(local, mias={**asked, "training": {"epochs": 9}})["mias"]["training"]["epochs"] == 9


def test_another_recipes_values_are_not_taken(load: Load) -> None:
    asked = {"recipes": {"article": {"epochs": 7}}}
    assert load({"mias": {"training": {"epochs": 5}}}, mias=asked)["mias"]["training"]["epochs"] == 5
    assert load(mias={**asked, "recipe": "article"})["mias"]["training"] == {"epochs": 7}


@pytest.mark.parametrize("order", [("recipe", "training"), ("training", "recipe")])
def test_the_order_on_the_command_line_does_not_matter(load: Load, order: tuple[str, str]) -> None:
    asked = {"recipe": "article", "training": {"patience": 3}}
    found = load(mias={name: asked[name] for name in order})["mias"]["training"]
    assert found == {"epochs": 1000, "patience": 3}


def test_a_recipe_can_be_added_and_chosen_in_local(load: Load) -> None:
    local = {"mias": {"recipes": {"slow": {"epochs": 300}}}}
    assert load(local)["mias"]["training"]["epochs"] == 100
    assert load(local, mias={"recipe": "slow"})["mias"]["training"] == {"epochs": 300}
    local["mias"]["recipe"] = "slow"  # type: ignore[assignment]
    assert load(local)["mias"]["training"] == {"epochs": 300}


def test_what_refers_to_a_recipe_follows_it(load: Load) -> None:
    assert load({"mias": {"training": {"epochs": 5}}})["mias"]["variant"]["training"]["epochs"] == 5
    asked = {"training": {"epochs": 7}, "variant": {"training": {"epochs": 8}}}
    found = load({"mias": {"variant": {"training": {"epochs": 6}}}}, mias=asked)["mias"]
    assert (found["training"]["epochs"], found["variant"]["training"]["epochs"]) == (7, 8)


def test_lists_are_replaced(load: Load) -> None:
    assert load({"mias": {"groups": ["SPIC", "MISC"]}})["mias"]["groups"] == ["SPIC", "MISC"]
    assert load({"mias": {"groups": ["SPIC", "MISC"]}}, mias={"groups": []})["mias"]["groups"] == []


def test_own_studies_follow_the_same_order(load: Load) -> None:
    local = {"lungs": {"training": {"epochs": 5}}}
    found = load(local, OWN)["lungs"]["training"]
    assert (found["epochs"], found["patience"]) == (5, None)
    asked = {"recipes": {"laptop": {"epochs": 7}}}
    assert load(local, OWN, lungs=asked)["lungs"]["training"]["epochs"] == 7
    assert load(local, OWN, lungs={**asked, "training": {"epochs": 9}})["lungs"]["training"]["epochs"] == 9
    plain = {"lungs": {key: OWN["lungs"][key] for key in ("images", "question")}}
    assert load({}, plain, lungs=asked)["lungs"]["training"]["epochs"] == 7


@pytest.mark.parametrize("local", [{}, {"mias": {"training": {"epochs": 5}}}])
def test_an_unknown_recipe_is_one_line(load: Load, local: dict[str, Any]) -> None:
    with pytest.raises(MammoscanError, match=r"^mias.recipe is 'slow', expected one of: laptop, article$"):
        load(local, mias={"recipe": "slow"})
    with pytest.raises(
        MammoscanError, match=r"^lungs.recipe is 'slow', expected one of: laptop, pretrained$"
    ):
        load({}, OWN, lungs={"recipe": "slow"})


def test_a_reference_to_nothing_is_one_line(load: Load) -> None:
    pattern = r"^conf: .*nothing.*; mend the reference in the file of parameters$"
    with pytest.raises(MammoscanError, match=pattern) as caught:
        load(None, {**BASE, "x": "${nothing.there}"})
    assert "\n" not in caught.value.message

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from mammoscan.errors import MammoscanError
from mammoscan.hooks import ParameterHooks, parameters
from mammoscan.hooks.parameters import find_value, list_types
from mammoscan.params import Recipe
from mammoscan.pipeline_registry import register_pipelines
from mammoscan.provenance import RUN_PARAMETERS
from mammoscan.studies import STUDIES, Study
from projects import LoadConf, load_project_conf

REGISTERED = register_pipelines()
TYPES = list_types(REGISTERED.values())


@pytest.fixture(scope="module")
def files() -> dict[str, Any]:
    return load_project_conf("test")["parameters"]


@pytest.fixture
def known(files: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the files hold; a test may change its own copy."""
    return copy.deepcopy(files)


@pytest.fixture
def start(load_conf: LoadConf, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do what Kedro does when a run starts with these parameters on the command line."""
    monkeypatch.setattr(parameters, "pipelines", REGISTERED)

    def run(**asked: Any) -> Any:
        loader = load_conf("test", **asked)
        ParameterHooks().after_context_created(SimpleNamespace(config_loader=loader))
        return loader

    return run


class TestNames:
    def test_the_files_own_parameters_pass(self, start: Any) -> None:
        start()

    @pytest.mark.slow
    def test_known_keys_pass_however_deep(self, start: Any) -> None:
        loader = start(mias={"training": {"epochs": 4}, "split": {"seed": 3}}, train={"engine": "fit"})
        assert loader["parameters"]["mias"]["training"]["epochs"] == 4

    @pytest.mark.parametrize(
        "asked",
        [
            {"training": {"ensemble": 2}},
            {"training": {"network": {"weights": "none"}}},
            {"recipes": {"laptop": {"ema": 0.9}}},
        ],
        ids=["a key", "an inner key", "a key of a recipe"],
    )
    def test_a_key_that_the_files_leave_to_its_default_passes(self, start: Any, asked: Any) -> None:
        found = start(mias=asked)["parameters"]["mias"]["training"]
        assert found.get("ensemble") == 2 or found.get("ema") == 0.9 or found["network"]["weights"] == "none"

    def test_a_mistyped_name_is_refused_with_the_likely_one(self, start: Any) -> None:
        with pytest.raises(
            MammoscanError, match=r"--params mias.training.epoch: .* did you mean mias.training.epochs\?"
        ):
            start(mias={"training": {"epoch": 4}})

    @pytest.mark.slow
    def test_a_name_like_no_other_is_refused_with_the_files_to_look_in(self, start: Any) -> None:
        with pytest.raises(
            MammoscanError, match=r"--params zzz: there is no such parameter; .* conf/base/parameters"
        ):
            start(zzz=1)

    def test_a_renamed_parameter_is_refused_with_its_new_name(
        self, start: Any, known: dict[str, Any]
    ) -> None:
        new = "mias.evaluation.in_distribution_share"
        with pytest.raises(
            MammoscanError, match=rf"^--params mias.evaluation.familiar_share: .* is now called {new}$"
        ):
            start(mias={"evaluation": {"familiar_share": 0.9}})
        known["mias"]["evaluation"]["familiar_share"] = 0.9
        with pytest.raises(
            MammoscanError, match=rf"^mias.evaluation.familiar_share: .* is now called {new}$"
        ):
            parameters.check_types(known, TYPES)


class TestFolds:
    @pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
    def test_another_number_of_folds_is_refused(self, known: dict[str, Any], study: Study) -> None:
        find_value(known, f"{study.name}.split")["folds"] = 7
        pattern = rf"^{study.name}.split.folds is 7, expected {study.folds}: .*mammoscan new makes a study of"
        with pytest.raises(MammoscanError, match=pattern):
            parameters.check_folds(known)

    @pytest.mark.slow
    def test_on_the_command_line_too(self, start: Any) -> None:
        with pytest.raises(MammoscanError, match=r"^mias.split.folds is 7, expected 5"):
            start(mias={"split": {"folds": 7}})


class TestValues:
    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            (
                {"training": {"epochs": -1}},
                "mias.training.epochs is -1, expected greater than or equal to 1",
            ),
            ({"crop": {"kind": "circle"}}, "mias.crop.kind is 'circle', expected 'window' or 'radius'"),
            ({"phantom": {"patients": "many"}}, "mias.phantom.patients is 'many', expected a valid integer"),
            ({"unpack_limit_gb": "big"}, "mias.unpack_limit_gb is 'big', expected a valid number"),
            ({"source": 5}, "mias.source is 5, expected a valid string"),
            ({"grid": None}, "mias.grid is None, expected a valid dictionary"),
            ({"question": {"positive": "x"}}, "mias.question: positive is 'x', expected one of labels"),
            (
                {"training": {"epochs": 0, "batch_size": 0}},
                r"mias.training.epochs is 0, expected greater than or equal to 1 \(and 1 more\)",
            ),
        ],
    )
    def test_a_wrong_value_is_refused_in_one_line(
        self, known: dict[str, Any], asked: dict[str, Any], message: str
    ) -> None:
        for key, value in asked.items():
            old = known["mias"][key]
            known["mias"][key] = old | value if isinstance(value, dict) else value
        with pytest.raises(MammoscanError, match=f"^{message}") as caught:
            parameters.check_types(known, TYPES)
        assert "\n" not in caught.value.message

    def test_a_key_that_a_file_adds_to_a_block_is_refused_with_the_known(self) -> None:
        with pytest.raises(
            MammoscanError, match=r"a.epoch: there is no such parameter, expected one of: network, epochs"
        ):
            parameters.check_types({"a": {"epochs": 1, "epoch": 2}}, {"a": Recipe})

    def test_a_key_that_a_file_lacks_is_named(self) -> None:
        with pytest.raises(MammoscanError, match=r"a.epochs: found nothing, expected a value"):
            parameters.check_types({"a": {}}, {"a": Recipe})

    def test_a_block_that_no_file_has_is_named(self) -> None:
        with pytest.raises(MammoscanError, match=r"mias.crop: found nothing in conf/"):
            find_value({"mias": {}}, "mias.crop")

    def test_every_parameter_that_a_node_asks_for_has_a_type(self) -> None:
        asked = {
            name.removeprefix("params:")
            for pipeline in REGISTERED.values()
            for name in pipeline.datasets()
            if name.startswith("params:") and not name.startswith(RUN_PARAMETERS)
        }
        assert set(TYPES) == asked | {"privacy"}  # which hooks read

"""What ``kedro run`` takes beyond Kedro's own."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from mammoscan import cli


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of each run that is started instead of being run."""
    started: list[dict[str, Any]] = []

    def start(**options: Any) -> dict[str, Any]:
        started.append(options)
        return {}

    monkeypatch.setattr(cli.kedro_run, "callback", start)
    return started


def call(*words: str) -> Any:
    return CliRunner().invoke(cli.cli, ["run", *words])


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("a.b=1,c=x y", {"a": {"b": 1}, "c": "x y"}),
        ("a=[1,2],b=3", {"a": [1, 2], "b": 3}),
        ("a.b={x: 1, y: [2, 'q,]']}, c=1e-3", {"a": {"b": {"x": 1, "y": [2, "q,]"]}}, "c": 0.001}),
        ("a=id1+id2,b=path:(p[0-9]+),c=null", {"a": "id1+id2", "b": "path:(p[0-9]+)", "c": None}),
        ("a=/data/x=1,b=true", {"a": "/data/x=1", "b": True}),
    ],
)
def test_params_are_yaml_with_commas_inside_brackets(
    runs: list[dict[str, Any]], text: str, params: dict[str, Any]
) -> None:
    assert call("--params", text).exit_code == 0
    assert [options["params"] for options in runs] == [params]


@pytest.mark.parametrize("text", ["a", "=1", "a=[1,2", "a={x: 1"])
def test_what_is_no_value_is_one_line(runs: list[dict[str, Any]], text: str) -> None:
    result = call("--params", text)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert [line for line in result.output.splitlines() if line.startswith("Error: --params ")]
    assert not runs


def test_several_pipelines_run_one_after_the_other(runs: list[dict[str, Any]]) -> None:
    assert call("--pipelines", "mias_normal,mias,mias_normal", "--params", "train.device=cpu").exit_code == 0
    assert [options["pipelines"] for options in runs] == [["mias_normal"], ["mias"]]
    assert all(options["params"] == {"train": {"device": "cpu"}} for options in runs)


def test_kedro_finds_the_command() -> None:
    assert isinstance(cli.cli.commands["run"], click.Command)
    assert {parameter.name for parameter in cli.cli.commands["run"].params} == {
        parameter.name for parameter in cli.kedro_run.params
    }

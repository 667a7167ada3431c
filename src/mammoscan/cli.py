"""``kedro run`` as Kedro has it, with lists and dictionaries behind ``--params`` and several pipelines one by one.

Kedro looks for this module by its name, and takes its commands instead of its own.
"""

from __future__ import annotations

import copy
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

OPENING, CLOSING = "[{", "]}"


def split_items(text: str) -> list[str]:
    """Split ``key=value`` pairs at commas, but for those inside a value that begins with a bracket."""
    items = [""]
    depth, quote = 0, ""
    for character in text:
        if character == "," and not depth:
            items.append("")
            continue
        begins = items[-1].rstrip().endswith("=") and items[-1].count("=") == 1
        if quote:
            quote = "" if character == quote else quote
        elif depth and character in "\"'":
            quote = character
        elif character in OPENING and (depth or begins):
            depth += 1
        elif character in CLOSING and depth:
            depth -= 1
        items[-1] += character
    return [item.strip() for item in items if item.strip()]


def read_params(context: click.Context, text: Any) -> Any:
    """Read what stands behind ``--params``; a value is YAML, as in the files."""
    if isinstance(text, dict):
        return text
    items = split_items(text)
    for item in items:
        name, equals, value = item.partition("=")
        if not (name.strip() and equals):
            context.fail(f"--params {item}: found no name and value, expected name=value")
        try:
            OmegaConf.from_dotlist([item])
        except (OmegaConfBaseException, YAMLError) as error:
            context.fail(f"--params {name}: {value} is no value: {str(error).splitlines()[0]}")
    return OmegaConf.to_container(OmegaConf.from_dotlist(items))


def run_each(**options: Any) -> dict[str, Any]:
    """Run the named pipelines one after the other: a study has a graph, a lock and an MLflow run of its own."""
    names = list(dict.fromkeys(options["pipelines"]))
    assert kedro_run.callback is not None
    if len(names) < 2 or options["pipeline"]:
        return kedro_run.callback(**options)
    found: dict[str, Any] = {}
    for name in names:
        found |= kedro_run.callback(**{**options, "pipelines": [name]})
    return found


@click.group()
def cli() -> None:
    """Kedro's own group of the project's commands."""


run = copy.copy(kedro_run)
run.callback = run_each
run.params = [copy.copy(parameter) for parameter in kedro_run.params]
for parameter in run.params:
    if parameter.name == "params":
        parameter.callback = lambda context, _, text: read_params(context, text)
cli.add_command(run)

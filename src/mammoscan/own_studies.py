"""Studies of one's own images: short blocks in ``conf/base``, without any Python.

A file ``conf/base/parameters_<name>.yml`` whose block ``<name>`` has ``images`` is such a study. Its pipeline is
registered under that name, and what the block does not say is filled in from ``own_study.yml``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml

from mammoscan.errors import MammoscanError
from mammoscan.resolvers import pick
from mammoscan.studies import STUDIES, Kind, Study

KEY = "images"
NAME = re.compile(r"[a-z][a-z0-9_]*")
_FOUND: set[str] = set()


def fill_in_studies(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in which each short block has every key of a study."""
    return {
        name: fill_in_study(name, block) if is_own_study(block) else block
        for name, block in parameters.items()
    }


def is_own_study(block: Any) -> bool:
    """Return whether a block of parameters is a study of one's own images."""
    return isinstance(block, Mapping) and isinstance(block.get(KEY), Mapping)


def fill_in_study(name: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole block of a study."""
    if read_kind(name, block) != "classes":
        return _fill_in_target_study(name, block)
    question = block.get("question")
    labels = question.get("labels") if isinstance(question, Mapping) else None
    if not labels:
        raise MammoscanError(
            f"{name}.question.labels: found nothing, expected the labels, e.g. [normal, tumour]; write them in "
            f"conf/base/parameters_{name}.yml"
        )
    named = [str(label) for label in labels]
    whole = _merge(read_defaults(), block)
    words = {
        "title": f"{name}: {', '.join(named)}",
        "text": f"Which label does the image have: {' or '.join(named)}?",
    }
    whole["question"] = {**words, "positive": named[-1], **whole["question"]}
    whole["question"].pop("kind", None)
    return _fill_in_recipe(name, whole, block)


def read_kind(name: str, block: Mapping[str, Any]) -> Kind:
    """Return what a study predicts: ``question.kind``, or labels."""
    question = block.get("question")
    kind: Any = question.get("kind", "classes") if isinstance(question, Mapping) else "classes"
    if kind not in get_args(Kind):
        raise MammoscanError(
            f"{name}.question.kind is {kind!r}, expected one of: {', '.join(get_args(Kind))}"
        )
    return kind


def _fill_in_target_study(name: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole block of a study that predicts a number or an ordered level."""
    defaults = read_defaults()
    defaults["question"] = {key: defaults["question"][key] for key in ("unit", "about")}
    # Nothing is balanced where there are no labels.
    del defaults["balance"]
    for recipe in defaults["recipes"].values():
        recipe["class_weights"] = "none"
    whole = _merge(defaults, block)
    quantity = str(whole["question"].get("quantity", "value"))
    measured = whole["question"].get("measured_in", "")
    words = {
        "title": f"{name}: {quantity}",
        "text": f"Which {quantity}{f' (in {measured})' if measured else ''} does the image show?",
    }
    whole["question"] = {**words, **whole["question"]}
    return _fill_in_recipe(name, whole, block)


def _fill_in_recipe(name: str, whole: dict[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in ``training`` and ``pack`` from the recipe's."""
    recipe = whole["recipe"]
    for key, choices in (("training", "recipes"), ("pack", "packs")):
        whole[key] = _merge(pick(f"{name}.recipe", recipe, whole[choices]), block.get(key, {}))
    return whole


def register_own_studies(conf: Path) -> None:
    """Register the studies of ``conf/base``, and forget those whose file is gone."""
    found = find_own_studies(conf)
    studies: dict[str, Study] = {}
    for name, block in found.items():
        known = STUDIES.get(name)
        if known is not None and not known.own_images:
            raise MammoscanError(
                f"conf/base: {name} has {KEY}, but a study of this name comes with Mammoscan; expected another name"
            )
        split = block.get("split")
        folds = split.get("folds") if isinstance(split, Mapping) else None
        folds = folds or read_defaults()["split"]["folds"]
        if not isinstance(folds, int) or not 2 <= folds <= 20:
            raise MammoscanError(f"{name}.split.folds is {folds!r}, expected a whole number from 2 to 20")
        studies[name] = Study(
            name, name, "patient", folds, features=True, own_images=True, kind=read_kind(name, block)
        )
    for name in _FOUND - set(found):
        STUDIES.pop(name, None)
    _FOUND.clear()
    _FOUND.update(studies)
    STUDIES.update(studies)


def find_own_studies(conf: Path) -> dict[str, Mapping[str, Any]]:
    """Return the short blocks in ``conf/base`` by their names."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted((conf / "base").glob("parameters*.y*ml")):
        text = file.read_text(encoding="utf-8")
        # Reading YAML is slow, and the other files are long.
        if not re.search(rf"^\s+{KEY}:", text, re.MULTILINE):
            continue
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise MammoscanError(
                f"{file} is no YAML: {str(error).splitlines()[0]}; mend or delete it"
            ) from error
        if not isinstance(content, Mapping):
            continue
        found |= {str(name): block for name, block in content.items() if is_own_study(block)}
    return found


@cache
def _read_defaults() -> str:
    return (files("mammoscan") / "own_study.yml").read_text(encoding="utf-8")


def read_defaults() -> dict[str, Any]:
    """Return what a study does where its block says nothing else."""
    return yaml.safe_load(_read_defaults())


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested dictionaries as one; where both have a value, that of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        # A map of labels replaces a list, and one of them another.
        nested = key != "labels" and isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged

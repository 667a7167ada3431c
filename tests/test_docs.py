"""What the documentation says is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

import pytest
import yaml
from pydantic import BaseModel

from mammoscan.hooks.parameters import check_asked
from mammoscan.params import PackParams, Recipe
from mammoscan.pipeline_registry import register_pipelines
from mammoscan.studies import STUDIES
from projects import ROOT, load_project_conf

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "data" / "README.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
PIPELINES = register_pipelines()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def list_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


# Pipelines that a page itself shows how to write.
OWN_PIPELINES = {"docs/how-to/add-a-study.md": "shapes"}


def list_commands() -> Iterator[tuple[Path, list[str]]]:
    for page in PAGES:
        for command in re.findall(r"\bkedro run\b[^`\n&|)]*", page.read_text()):
            words = command.replace("'", "").split()[2:]
            # In running text a sentence goes on behind `kedro run`.
            own = OWN_PIPELINES.get(name_page(page))
            if words and words[0].startswith("--") and own not in words:
                yield page, words


def read_options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            options[word] = "" if value.startswith("--") else value
    return options


def nest(dotted: str, value: str) -> dict[str, Any]:
    for key in reversed(dotted.split(".")):
        value = {key: value}  # type: ignore[assignment]
    return value  # type: ignore[return-value]


def list_defaults(block: type[BaseModel], at: str = "") -> dict[str, Any]:
    """What a recipe's keys are where a file leaves them out."""
    found: dict[str, Any] = {}
    for key, field in block.model_fields.items():
        value = "required" if field.is_required() else field.default
        found[f"{at}{key}"] = list(value) if isinstance(value, tuple) else value
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= list_defaults(kind, f"{at}{key}.")
    return found


COMMANDS = list(list_commands())
DEFAULTS = list_defaults(Recipe) | list_defaults(PackParams, "pack.")


class TestPages:
    @pytest.mark.parametrize("page", PAGES, ids=name_page)
    def test_every_link_inside_the_project_leads_somewhere(self, page: Path) -> None:
        for link in LINK.findall(page.read_text()):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            if anchor:
                assert anchor in list_anchors(target), link

    def test_the_readme_leads_to_every_page(self) -> None:
        text = (ROOT / "README.md").read_text()
        linked = {(ROOT / link.partition("#")[0]).resolve() for link in LINK.findall(text)}
        assert [page for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in linked] == []

    def test_pictures_are_small(self) -> None:
        pictures = list((ROOT / "docs" / "pictures").glob("*.png"))
        assert {picture.stem for picture in pictures} == {"graph", "report"}
        assert all(picture.stat().st_size < 400_000 for picture in pictures)


class TestCommands:
    def test_there_are_many(self) -> None:
        assert len(COMMANDS) > 20

    @pytest.mark.parametrize(
        ("page", "words"), COMMANDS, ids=lambda value: "" if isinstance(value, Path) else " ".join(value)
    )
    def test_a_run_names_pipelines_nodes_and_parameters_that_exist(
        self, page: Path, words: list[str]
    ) -> None:
        options = read_options(words)
        known = {
            "--pipeline",
            "--params",
            "--env",
            "--from-nodes",
            "--to-nodes",
            "--only-missing-outputs",
            "--runner",
            "--runner-params",
        }
        assert set(options) <= known
        assert options.get("--env", "test") in ("base", "test")
        name = options.get("--pipeline", "__default__")
        assert name in PIPELINES
        nodes = {node.name for node in PIPELINES[name].nodes}
        for option in ("--from-nodes", "--to-nodes"):
            assert set(options.get(option, "").split(",")) - {""} <= nodes
        if "--params" in options and options["--params"] not in ("", "…"):
            parameters = load_project_conf()["parameters"]
            for pair in options["--params"].split(","):
                key, equals, value = pair.partition("=")
                assert equals
                assert value
                check_asked(nest(key, value), parameters)


class TestParameters:
    TEXT = (ROOT / "docs" / "reference" / "parameters.md").read_text()

    def test_every_parameter_of_every_study_is_explained(self) -> None:
        explained = set(re.findall(r"^\| `([\w.]+)`", self.TEXT, flags=re.MULTILINE))
        # What one study's row explains holds for the others, and of one pack for all.
        explained |= {strip_study(name).replace("packs.laptop", "packs.article") for name in explained}
        explained |= {name.replace("packs.article", "packs.laptop") for name in explained}
        for name in list_leaves(read_base()):
            if name not in explained:
                short = strip_study(name)
                short = re.sub(r"^(recipes\.\w+|training)\.(?=\w)", "", short)
                short = re.sub(r"^packs\.\w+\.(?=\w)", "pack.", short)
                # A block that is filled in whole from another one is explained key by key.
                whole = any(key.startswith(f"{short}.") for key in explained)
                assert short in explained or whole or short in ("recipes", "packs"), name

    def test_nothing_is_explained_that_is_not_there(self) -> None:
        leaves = list_leaves(read_base())
        for name in re.findall(r"^\| `([\w.]+)`", self.TEXT, flags=re.MULTILINE):
            written = name in leaves or f"mias.{name}" in leaves or f"mias.recipes.laptop.{name}" in leaves
            assert written or name in DEFAULTS, name

    def test_every_variant_is_named(self) -> None:
        for study in STUDIES:
            assert f"`{study}`" in self.TEXT

    def test_the_values_are_those_of_the_files(self) -> None:
        leaves = list_leaves(read_base())
        rows = re.findall(r"^\| `([\w.]+)` \|(.+)\|$", self.TEXT, flags=re.MULTILINE)
        assert len(rows) > 40
        for name, rest in rows:
            cells = [cell.strip().strip("`") for cell in rest.split("|")]
            key = name if name in leaves else f"mias.{name}"
            if key in leaves:
                assert yaml.safe_load(cells[1]) == leaves[key] or cells[1] == leaves[key], name
            elif f"mias.recipes.laptop.{name}" not in leaves:
                assert yaml.safe_load(cells[1] or "required") == DEFAULTS[name], name
            else:
                for cell, recipe in zip(cells[1:3], ("laptop", "article"), strict=True):
                    assert yaml.safe_load(cell) == leaves[f"mias.recipes.{recipe}.{name}"], name


class TestCatalog:
    def test_every_pattern_is_explained_with_its_layer_and_file(self) -> None:
        text = (ROOT / "docs" / "reference" / "catalog.md").read_text()
        explained: dict[str, tuple[str, str]] = {}
        for section in text.split("\n## ")[1:]:
            layer = section.split("\n", 1)[0].strip()
            for name, file in re.findall(r"^\| `([^`]+)` \| `?([^`|]+?)`? \|", section, flags=re.MULTILINE):
                explained[name] = (layer, file)
        entries = yaml.safe_load((ROOT / "conf" / "base" / "catalog.yml").read_text())
        assert set(explained) == set(entries)
        for name, entry in entries.items():
            folder, file = explained[name]
            if "filepath" in entry:
                assert entry["filepath"] == f"${{globals:data}}/{folder}/{file}"


class TestChecks:
    """The checks above find what they look for."""

    def test_a_command_is_read_with_its_options(self) -> None:
        words = ["--pipeline", "mias", "--params", "a.b=1,c=2", "--only-missing-outputs"]
        expected = {"--pipeline": "mias", "--params": "a.b=1,c=2", "--only-missing-outputs": ""}
        assert read_options(words) == expected

    def test_an_anchor_is_made_of_a_heading_as_the_browser_sees_it(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("# One `table`, one array\n\ntext\n\n## What differs\n")
        assert list_anchors(page) == {"one-table-one-array", "what-differs"}


def read_base() -> dict[str, Any]:
    """The files' own text, with what is filled in left as it stands."""
    merged: dict[str, Any] = {}
    for file in sorted((ROOT / "conf" / "base").glob("parameters*.yml")):
        merged |= yaml.safe_load(file.read_text())
    return merged


def list_leaves(block: dict[str, Any], at: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in block.items():
        inner = isinstance(value, dict) and value
        leaves |= list_leaves(value, f"{at}{key}.") if inner else {f"{at}{key}": value}
    return leaves


def strip_study(name: str) -> str:
    studies = sorted((*STUDIES, "mias_author_all"), key=len, reverse=True)
    return next((name.removeprefix(f"{study}.") for study in studies if name.startswith(f"{study}.")), name)

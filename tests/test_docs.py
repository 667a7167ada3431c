"""What the documentation says is there."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from mammoscan import __version__, params
from mammoscan.cli import split_items
from mammoscan.hooks.parameters import check_asked
from mammoscan.params import Block
from mammoscan.pipeline_registry import register_pipelines
from mammoscan.studies import STUDIES
from projects import ROOT, load_project_conf

PAGES = [
    ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md")
]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
PIPELINES = register_pipelines()
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


def list_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


# Pipelines and files that a page itself shows how to write.
OWN_PIPELINES = {
    "docs/how-to/add-a-study.md": "shapes",
    "docs/getting-started.md": "lungs",
    "docs/how-to/your-own-images.md": "lungs",
}
OWN_FILES = ("src/shapes.py", "conf/base/parameters_lungs.yml", "conf/base/parameters_NAME.yml")


def list_commands() -> Iterator[tuple[Path, list[str]]]:
    # The page of commands is their own help, which has placeholders.
    for page in (page for page in PAGES if page.name != "commands.md"):
        for command in re.findall(r"\bkedro run\b[^`\n&|)]*", page.read_text()):
            words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command.replace("'", ""))][2:]
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


CONTRIBUTING_SAYS_HOW = "write requirements.lock anew, as CONTRIBUTING.md says"


def simplify(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(text: str) -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, flags=re.MULTILINE)
    return {simplify(name): version for name, version in pins}


def list_blocks() -> list[type[Block]]:
    return [kind for kind in vars(params).values() if isinstance(kind, type) and issubclass(kind, Block)]


def load_script(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


COMMANDS = list(list_commands())


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

    @pytest.mark.parametrize("page", PAGES, ids=name_page)
    def test_every_file_of_the_project_that_is_named_is_there(self, page: Path) -> None:
        for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|j2|sha256))`", page.read_text()):
            places = (ROOT, ROOT / "src" / "mammoscan")
            assert name in OWN_FILES or any((place / name).is_file() for place in places), name

    def test_pictures_are_small(self) -> None:
        pictures = list((ROOT / "docs" / "pictures").glob("*.png"))
        assert {picture.stem for picture in pictures} == {"graph", "report", "runs"}
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
            "--pipelines",
            "--params",
            "--env",
            "--from-inputs",
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
        assert set(options.get("--pipelines", name).split(",")) <= set(PIPELINES)
        nodes = {node.name for node in PIPELINES[name].nodes}
        for option in ("--from-nodes", "--to-nodes"):
            assert set(options.get(option, "").split(",")) - {""} <= nodes
        assert set(options.get("--from-inputs", "").split(",")) - {""} <= PIPELINES[name].datasets()
        if "--params" in options and options["--params"] not in ("", "…"):
            parameters = load_project_conf()["parameters"]
            for pair in split_items(options["--params"]):
                key, equals, value = pair.partition("=")
                assert equals
                assert value
                check_asked(nest(key, value), parameters)


def test_the_page_of_commands_is_what_their_help_says() -> None:
    page = ROOT / "docs" / "reference" / "commands.md"
    assert load_script(ROOT / "docs" / "make_commands.py").write_page() == page.read_text(), (
        "run python docs/make_commands.py"
    )


class TestParameters:
    TEXT = (ROOT / "docs" / "reference" / "parameters.md").read_text()

    def test_the_page_is_what_the_generator_writes(self) -> None:
        make_parameters = load_script(ROOT / "docs" / "make_parameters.py")
        assert make_parameters.write_page() == self.TEXT, "run python docs/make_parameters.py"

    def test_every_value_in_the_files_is_explained(self) -> None:
        explained = set(re.findall(r"^\| `([\w.]+)`", self.TEXT, flags=re.MULTILINE))
        for name in list_leaves(read_base()):
            short = re.sub(r"^recipes\.\w+(?=\.)", "training", strip_study(name))
            short = re.sub(r"^packs\.\w+(?=\.)", "pack", short)
            # Below a block without fixed keys stands what the user names.
            free = any(short.startswith(f"{block}.") for block in ("question.where", "search.ranges"))
            assert short in explained or free or f"{short}." in self.TEXT, name

    def test_every_field_has_a_description(self) -> None:
        for block in list_blocks():
            missing = [key for key, field in block.model_fields.items() if not field.description]
            assert missing == [], block.__name__

    def test_every_variant_is_named(self) -> None:
        for study in STUDIES:
            assert f"`{study}`" in self.TEXT


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


class TestProjectFiles:
    """What people look for who take over a project."""

    def test_the_citation_names_the_version_that_is_installed(self) -> None:
        citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
        assert citation["version"] == __version__
        assert citation["license"] == "MIT"

    def test_the_workflow_runs_what_a_change_must_pass(self) -> None:
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
        steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
        assert {".ci/run", 'pytest -m "not slow"'} <= {step.get("run") for step in steps}

    def test_hooks_before_a_commit_need_no_network(self) -> None:
        hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
        assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
        assert {hook["language"] for repository in hooks["repos"] for hook in repository["hooks"]} == {
            "system"
        }

    def test_both_images_are_built_from_the_tested_versions(self) -> None:
        text = (ROOT / "Dockerfile").read_text()
        assert re.findall(r"^FROM \S+ AS (\w+)$", text, flags=re.MULTILINE) == ["base", "pipeline", "serve"]
        assert "pip install --require-hashes --no-deps -r requirements.lock" in text
        for file in re.findall(r"^COPY \S+ (.+) \S+$", text, flags=re.MULTILINE):
            assert all((ROOT / name).exists() for name in file.split()), file

    def test_the_lock_file_has_the_tested_versions_of_all_that_a_run_needs(self) -> None:
        lock = (ROOT / "requirements.lock").read_text()
        locked = read_pins(lock)
        tested = read_pins((ROOT / "constraints.txt").read_text())
        assert {name: tested.get(name) for name in locked} == locked, CONTRIBUTING_SAYS_HOW
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        needed = {simplify(re.split(r"[\[<>=!;~ ]", line)[0]) for line in project["dependencies"]}
        assert needed - set(locked) == set(), CONTRIBUTING_SAYS_HOW
        assert lock.count("--hash=sha256:") > len(locked)
        # No address of a registry: whoever installs takes the files from where they like.
        assert "://" not in lock

    def test_every_page_is_on_the_site(self) -> None:
        index = (ROOT / "docs" / "index.md").read_text()
        listed = [
            line
            for block in re.findall(r"```\{toctree\}\n(.*?)```", index, flags=re.DOTALL)
            for line in block.split("\n")
        ]
        docs = ROOT / "docs"
        found = {page for line in listed for page in docs.glob(f"{line}.md")}
        assert {page for page in PAGES if page.is_relative_to(docs)} - found == {docs / "index.md"}


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

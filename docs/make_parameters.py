"""Write docs/reference/parameters.md from the classes in ``mammoscan.params`` and the files in ``conf/base``.

Run ``python docs/make_parameters.py`` after a change to either; a test compares the page with what this writes. A
parameter is documented where it is defined: by its field's ``description``, type, limits and default.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mammoscan.hooks.parameters import list_types
from mammoscan.params import Recipe
from mammoscan.pipeline_registry import register_pipelines
from mammoscan.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "parameters.md"
MAIN = "mias"

INTRO = """\
# Parameters

<!-- Written by docs/make_parameters.py: change the field descriptions in src/mammoscan/params instead. -->

The values lie in `conf/base/parameters.yml` and one `conf/base/parameters_<study>.yml` for each study. Change them in
`conf/local` or with `--params` ([how](../how-to/change-a-recipe.md)). Unknown names and wrong values are refused before
anything runs. A study's parameters stand here without its name: `crop.size` of `mias` is `mias.crop.size`. *Default* is
the value of a parameter that a file leaves out; *required* ones must be there. The columns behind it hold what
`conf/base` says.
"""

KEYS = """\
## Keys that fill in others

No step reads these; other values refer to them.

| parameter | allowed | meaning |
| --- | --- | --- |
| `recipe` | a name in `recipes` | which recipe is used |
| `recipes` | blocks like `training` | the study's recipes; `training` is filled in from the one that `recipe` names |
| `packs` | blocks like `pack` | `pack` is filled in from the one of the recipe's name |
| `magnification` | `40`, `100`, `200`, `400`, `all` | BreaKHis: which images are used, in variants too |

In `conf/local` change `training` and `pack` themselves; on the command line `recipe` works too.
"""

STUDIES = """\
## Studies

What each study is about, and the file with its values and the reasons for them.
"""


@dataclass(frozen=True)
class Row:
    """One parameter as the page shows it."""

    name: str
    allowed: str
    default: str
    description: str


def format_value(value: Any) -> str:
    """Write a value as YAML has it, in code font."""
    if isinstance(value, BaseModel):
        return "the block's own"
    if isinstance(value, str):
        return f"`{value or chr(39) * 2}`"
    text = json.dumps(value, ensure_ascii=False, default=list)
    return f"`{text if isinstance(value, dict) else text.replace(chr(34), '')}`"


def list_limits(metadata: list[Any]) -> Iterator[str]:
    """Say the limits of a field in words."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "at least"}
    for limit in metadata:
        for key, word in words.items():
            if (value := getattr(limit, key, None)) is not None:
                yield f"{word} {value}" + (" of them" if key == "min_length" else "")


def describe_type(kind: Any) -> str:
    """Say in words what a type allows."""
    plain = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "file"}
    if kind in plain:
        return plain[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return describe_type(inner[0])
    if origin is Literal:
        return ", ".join(format_value(value) for value in inner)
    if origin in (types.UnionType, Union):
        return " or ".join("null" if part is type(None) else describe_type(part) for part in inner)
    if origin is tuple and inner[-1] is Ellipsis:
        return f"list of: {describe_type(inner[0])}"
    if origin is tuple:
        return f"{len(inner)} of: {describe_type(inner[0])}"
    if origin is dict:
        return "block"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "block"
    return str(kind)


def make_row(name: str, field: FieldInfo) -> Row:
    """Describe one field."""
    default = field.get_default(call_default_factory=True)
    return Row(
        name,
        ", ".join([describe_type(field.annotation), *list_limits(field.metadata)]),
        "*required*" if default is PydanticUndefined else format_value(default),
        (field.description or "").strip(),
    )


def list_blocks(kind: Any) -> list[type[BaseModel]]:
    """Return the blocks that a field's type holds: itself, or one of a union's or a dictionary's."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [block for part in get_args(kind) for block in list_blocks(part)]


def list_rows(kind: Any, name: str) -> list[Row]:
    """Return a row for a parameter of a plain type, or one for each key of a block, inner blocks included."""
    blocks = list_blocks(kind)
    if not blocks:
        return [make_row(name, FieldInfo.from_annotation(kind))]
    rows = []
    for key, field in blocks[0].model_fields.items():
        rows.append(make_row(f"{name}.{key}", field))
        inside = f"{name}.{key}" + (".<key>" if get_origin(field.annotation) is dict else "")
        for block in list_blocks(field.annotation):
            rows += list_rows(block, inside)
    return rows


def flatten(block: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return the values of a nested block by their dotted names."""
    leaves: dict[str, Any] = {}
    for key, value in block.items():
        inner = isinstance(value, Mapping) and value
        leaves |= flatten(value, f"{at}{key}.") if inner else {f"{at}{key}": value}
    return leaves


def read_conf() -> dict[str, Any]:
    """Read conf/base as a run reads it."""
    return CONFIG_LOADER_CLASS(str(ROOT / "conf"), env="base", **CONFIG_LOADER_ARGS)["parameters"]


def list_studies(parameters: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Return the dotted names of all blocks that ask a question."""
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            if "question" in value:
                yield f"{at}{key}"
            yield from list_studies(value, f"{at}{key}.")


def list_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the type of every parameter that a node reads, by its name without the study."""
    studies = sorted(list_studies(parameters), key=len, reverse=True)
    found: dict[str, Any] = {}
    for name, kind in list_types(register_pipelines().values()).items():
        study = next((study for study in studies if name.startswith(f"{study}.")), "")
        found.setdefault(name.removeprefix(f"{study}.") if study else name, kind)
    # A block that several studies share has the same keys.
    last = {name: name.rpartition(".")[2] for name in found}
    return {name: kind for name, kind in found.items() if last[name] == name or last[name] not in found}


def write_table(rows: list[Row], columns: Mapping[str, Mapping[str, Any]]) -> str:
    """Write rows as a Markdown table, with the values that some files have."""
    columns = {title: values for title, values in columns.items() if any(row.name in values for row in rows)}
    head = ["parameter", "allowed", "default", *columns, "meaning"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        values = [format_value(column[row.name]) if row.name in column else "" for column in columns.values()]
        lines.append([f"`{row.name}`", row.allowed, row.default, *values, row.description])
    escaped = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |".replace("  ", " ") for line in escaped)


def write_studies() -> str:
    """Write a table of the files with a study's values, each with its first comment."""
    lines = ["| study | about |", "| --- | --- |"]
    for file in sorted((ROOT / "conf" / "base").glob("parameters_*.yml")):
        text = file.read_text(encoding="utf-8")
        names = [f"`{name}`" for name in list_studies(yaml.safe_load(text))]
        title = text.splitlines()[0].removeprefix("#").strip()
        if names:
            lines.append(f"| {', '.join(names)} | {title} ([{file.name}](../../conf/base/{file.name})) |")
    return "\n".join(lines)


def write_page() -> str:
    """Write the whole page."""
    parameters = read_conf()
    main, all_values = flatten(parameters[MAIN]), flatten(parameters)
    kinds = list_parameters(parameters)
    written = list(parameters[MAIN])
    order = sorted(kinds, key=lambda name: (written.index(name) if name in written else len(written), name))
    plain = [row for name in order if not list_blocks(kinds[name]) for row in list_rows(kinds[name], name)]
    parts = [INTRO.strip(), "## The data set", write_table(plain, {f"`{MAIN}`": main})]
    for name in order:
        blocks, rows = list_blocks(kinds[name]), list_rows(kinds[name], name)
        if not blocks:
            continue
        if blocks[0] is Recipe:
            recipes = parameters[MAIN]["recipes"].items()
            columns = {f"`{MAIN}`, `{recipe}`": flatten(block, f"{name}.") for recipe, block in recipes}
        else:
            columns = {f"`{MAIN}`": main} if name in parameters[MAIN] else {"`conf/base`": all_values}
        intro = (blocks[0].__doc__ or "").strip().split("\n\n")[0].replace("``", "`")
        parts += [f"## `{name}`", intro, write_table(rows, columns)]
    return "\n\n".join([*parts, KEYS.strip(), STUDIES.strip(), write_studies()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")

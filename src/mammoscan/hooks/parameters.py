from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_type_hints

from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pydantic import TypeAdapter, ValidationError

from mammoscan.errors import MammoscanError
from mammoscan.params import PrivacyParams, Recipe
from mammoscan.provenance import RUN_PARAMETERS
from mammoscan.studies import STUDIES

PREFIX = "params:"
# The last parts of the names of parameters that were renamed, and their new names.
RENAMED = {"evaluation.familiar_share": "evaluation.in_distribution_share"}


def list_keys(block: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of all keys of a nested dictionary, inner ones included."""
    names: list[str] = []
    for key, value in block.items():
        names.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            names += list_keys(value, f"{prefix}{key}.")
    return names


def find_value(parameters: Mapping[str, Any], name: str) -> Any:
    """Return the value behind a dotted name; an absent one is an error."""
    value: Any = parameters
    for key in name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise MammoscanError(f"{name}: found nothing in conf/, expected a value; write it there")
        value = value[key]
    return value


def find_new_name(name: str) -> str | None:
    """Return the new name of a renamed parameter, or None if it was not renamed."""
    for old, new in RENAMED.items():
        if name == old or name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    return None


def check_asked(
    asked: Mapping[str, Any], known: Mapping[str, Any], types: Mapping[str, Any] | None = None
) -> None:
    """Refuse a parameter on the command line that neither the files of ``conf/`` nor the blocks' types know.

    Kedro would add it silently, and the run would do something other than what was asked.
    """
    names = list_keys(known)
    for name in list_keys(asked):
        if name not in names and not has_default(name, types or {}):
            if new := find_new_name(name):
                raise MammoscanError(f"--params {name}: this parameter is now called {new}")
            near = difflib.get_close_matches(name, names, n=1)
            hint = (
                f"; did you mean {near[0]}?"
                if near
                else "; the known ones stand in conf/base/parameters*.yml"
            )
            raise MammoscanError(f"--params {name}: there is no such parameter{hint}")


def has_default(name: str, types: Mapping[str, Any]) -> bool:
    """Return whether a parameter is one that the files leave to its default, as recipes do with most of theirs."""
    keys = name.split(".")
    if len(keys) > 3 and keys[1] == "recipes":
        return _has_field(Recipe, keys[3:])
    return any(
        name.startswith(f"{block}.") and _has_field(kind, name.removeprefix(f"{block}.").split("."))
        for block, kind in types.items()
    )


def _has_field(kind: Any, keys: list[str]) -> bool:
    if not keys:
        return True
    fields = getattr(kind, "model_fields", None)
    if fields is None:
        return any(_has_field(part, keys) for part in get_args(kind))
    return keys[0] in fields and _has_field(fields[keys[0]].annotation, keys[1:])


def check_folds(parameters: Mapping[str, Any]) -> None:
    """Refuse a number of folds that is not the one in the study's record: the graph has that many already."""
    for study in STUDIES.values():
        found = find_value(parameters, f"{study.name}.split.folds")
        if found != study.folds:
            where = (
                f"write split.folds in conf/base/parameters_{study.name}.yml"
                if study.own_images
                else "for another number, mammoscan new makes a study of the same images with --folds"
            )
            raise MammoscanError(
                f"{study.name}.split.folds is {found!r}, expected {study.folds}: folds are in the graph, which is "
                f"built before parameters are read; {where}"
            )


def list_types(registered: Iterable[Pipeline]) -> dict[str, Any]:
    """Return the type that nodes ask of each parameter, by their functions' annotations; hooks read ``privacy``."""
    types: dict[str, Any] = {"privacy": PrivacyParams}
    for node in {node for pipeline in registered for node in pipeline.nodes}:
        hints = get_type_hints(node.func, include_extras=True)
        types |= {
            entry.removeprefix(PREFIX): hints[argument]
            for argument, entry in zip(inspect.signature(node.func).parameters, node.inputs, strict=False)
            if entry.startswith(PREFIX) and not entry.startswith(RUN_PARAMETERS) and argument in hints
        }
    return types


def check_types(parameters: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    """Refuse a value that is not of the type which nodes ask of it, in one line instead of Kedro's traceback."""
    for name, kind in types.items():
        try:
            TypeAdapter(kind).validate_python(find_value(parameters, name))
        except ValidationError as error:
            raise MammoscanError(describe_mismatch(name, kind, error)) from error


def describe_mismatch(name: str, kind: Any, error: ValidationError) -> str:
    """Say in one line which key of a block is wrong, what was found and what was expected."""
    first, *others = error.errors(include_url=False)
    key = ".".join([name, *map(str, first["loc"])])
    more = f" (and {len(others)} more)" if others else ""
    known = list(getattr(kind, "model_fields", {}))
    if first["type"] == "extra_forbidden":
        if new := find_new_name(key):
            return f"{key}: this parameter is now called {new}{more}"
        return f"{key}: there is no such parameter, expected one of: {', '.join(known)}{more}"
    if first["type"] == "missing":
        return f"{key}: found nothing, expected a value{more}"
    if first["type"] == "value_error":
        return f"{name}: {first['msg'].removeprefix('Value error, ')}{more}"
    expected = first["msg"].removeprefix("Input should be ")
    return f"{key} is {first['input']!r}, expected {expected}{more}"


class ParameterHooks:
    """Refuses mistyped parameters and wrong values before anything runs or is written."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Compare the parameters of the command line with those of the files, and all with what nodes ask."""
        loader: OmegaConfigLoader = context.config_loader  # type: ignore[assignment]
        types = list_types(pipelines.values())
        asked = getattr(loader, "runtime_params", None)
        if asked:
            loader.runtime_params = {}
            try:
                known = loader["parameters"]
            finally:
                loader.runtime_params = asked
            check_asked(asked, known, types)
        parameters = loader["parameters"]
        check_types(parameters, types)
        check_folds(parameters)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Find the weights that networks begin with before any image is packed."""
        check_first_weights(pipeline, catalog)


def check_first_weights(pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """Find, or fetch, the files of weights that the recipes of a run begin with; a missing one is an error."""
    for name in sorted(pipeline.inputs()):
        recipe = catalog.load(name) if name.startswith(PREFIX) and name.endswith(".training") else None
        if not isinstance(recipe, Recipe) or recipe.network.weights == "none":
            continue
        from mammoscan.models.weights import check_weights

        study = name.removesuffix(".training")
        if f"{study}.pack" in pipeline.inputs():
            shape = catalog.load(f"{study}.pack").size  # height and width
            check_weights(recipe.network, shape)

"""Kedro's loader of parameters, with one order of precedence: ``conf/base``, the environment's files, ``--params``.

Kedro fills in references (``${…}``) folder by folder. A recipe in ``conf/local`` would have no effect, since
``training`` in ``conf/base`` was filled in before; and a value in ``conf/local`` would win over the command line's
where both reach the same key by different names. Here all files and the command line are put together first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mammoscan.errors import MammoscanError
from mammoscan.own_studies import fill_in_studies, is_own_study, read_defaults

# What a recipe fills in, and where its choices stand.
CHOICES = {"training": "recipes", "pack": "packs"}

# In place of the reference that the blocks of own studies do not need.
OWN = "own"

Path = tuple[Any, ...]


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader, with parameters merged before they are filled in, and the blocks of own studies completed."""

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return a kind of configuration."""
        if key != "parameters" or key in self:
            return super().__getitem__(key)
        self._register_runtime_params_resolver()
        base, env, *_ = self._read_raw_config(key)
        try:
            files, local = (_join(configs.values()) for configs in (base, env))
            return fill_in_studies(merge_layers(files, local, self.runtime_params or {}))
        except OmegaConfBaseException as error:
            raise explain_reference(error) from error


def merge_layers(base: DictConfig, local: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in which the command line's values win over the environment's, and these over ``base``.

    Args:
        base: The files of ``conf/base``, with references that are not filled in yet.
        local: The environment's.
        asked: The command line's.
    """
    whole = base
    later: list[tuple[str, Path, Any]] = []
    for number, layer in enumerate((local, asked)):
        plain = OmegaConf.to_container(whole, resolve=False)
        parts = list(_split_references(plain, layer))
        whole = OmegaConf.merge(
            whole, *(_nest(path, value) for reference, path, value in parts if not reference)
        )
        if number:
            parts = [*_list_chosen(OmegaConf.to_container(whole, resolve=False), layer), *parts]
        later += [part for part in parts if part[0]]
    # What a recipe fills in comes before what refers to that in turn, as an article's variants do.
    for reference, path, _ in later:
        if reference != OWN:
            _resolve(whole, path)  # what refers to nothing would silently be dropped in merging
    later.sort(key=lambda part: ("pick:" not in part[0], len(part[1])))
    whole = OmegaConf.merge(whole, *(_nest(path, value) for _, path, value in later))
    return OmegaConf.to_container(whole, resolve=True)


def explain_reference(error: BaseException) -> MammoscanError:
    """Return what is wrong with a reference in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MammoscanError):
            study = str(getattr(error, "full_key", None) or "").rpartition(".")[0]
            return MammoscanError(f"{study}.{cause.message}" if study else cause.message)
        cause = cause.__cause__ or cause.__context__
    return MammoscanError(f"conf: {str(error).splitlines()[0]}; mend the reference in the file of parameters")


def _join(configs: Any) -> Any:
    return OmegaConf.merge(*configs) if configs else OmegaConf.create()


def _split_references(
    plain: Any, layer: Mapping[str, Any], path: Path = ()
) -> Iterator[tuple[str, Path, Any]]:
    """Yield the values of a layer: the reference that each changes, nothing for most, its place, and the value."""
    for key, value in layer.items():
        below = plain.get(key) if isinstance(plain, Mapping) else None
        if isinstance(value, Mapping) and isinstance(below, Mapping) and value:
            yield from _split_references(below, value, (*path, key))
        else:
            is_reference = isinstance(value, Mapping) and isinstance(below, str) and "${" in below
            yield (str(below) if is_reference else ""), (*path, key), value


def _list_chosen(whole: Any, layer: Mapping[Any, Any], path: Path = ()) -> Iterator[tuple[str, Path, Any]]:
    """Yield what a layer changes of the chosen recipe, as a change of what that recipe fills in.

    It would otherwise lose to a value of the environment's files for ``training`` itself.
    """
    for key, value in layer.items():
        if not (isinstance(value, Mapping) and isinstance(whole.get(key), Mapping)):
            continue
        block = whole[key]
        name = block.get("recipe", read_defaults()["recipe"] if is_own_study(block) else "")
        for filled, choices in CHOICES.items():
            chosen = value.get(choices, {}).get(name)
            if isinstance(chosen, Mapping):
                reference = str(block.get(filled) or OWN)
                yield reference, (*path, key, filled), chosen
                if isinstance(value.get(filled), Mapping):
                    yield reference, (*path, key, filled), value[filled]
        yield from _list_chosen(block, value, (*path, key))


def _resolve(whole: Any, path: Path) -> None:
    for key in path:
        whole = whole[key]


def _nest(path: Path, value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value

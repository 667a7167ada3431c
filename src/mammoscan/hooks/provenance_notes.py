from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from mammoscan.errors import MammoscanError
from mammoscan.provenance import (
    REMEDY,
    check_ages,
    check_note,
    list_differences,
    read_note,
    trace_entries,
    trace_parameters,
    write_note,
)
from mammoscan.seals import check_content


def find_file(catalog: CatalogProtocol, name: str) -> Path | None:
    """Return the file behind a catalog entry, or None for a folder or what lives in memory."""
    dataset = catalog.get(name) if name in catalog else None
    path = getattr(dataset, "_filepath", None)
    return Path(path) if path is not None and Path(path).suffix else None


def find_registered(run_params: dict[str, Any]) -> Pipeline:
    """Return the whole of the pipelines that a run was started with, whatever part of them runs."""
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name") or "__default__"]
    return sum((pipelines[name or "__default__"] for name in names), start=Pipeline([]))


def load_parameters(catalog: CatalogProtocol, traced: dict[str, set[str]]) -> dict[str, Any]:
    """Return the values, as JSON has them, of all parameters that any entry is made with."""
    values: dict[str, Any] = {}
    for name in set().union(*traced.values()):
        value = catalog.load(name)
        values[name] = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return values


def digest_parameters(whole: Pipeline, catalog: CatalogProtocol) -> dict[str, str]:
    """Return for every entry that a pipeline makes a digest of the parameters upstream of it."""
    traced = trace_parameters(whole)
    values = load_parameters(catalog, traced)
    return {
        entry: hashlib.sha256(
            json.dumps({name: values[name] for name in sorted(names)}, sort_keys=True).encode()
        ).hexdigest()
        for entry, names in traced.items()
    }


def check_together(whole: Pipeline, catalog: CatalogProtocol) -> None:
    """Refuse a pipeline's files of which some were made with other parameters than the rest, as notebooks do.

    Args:
        whole: The pipeline.
        catalog: Where its files are; those that are missing are left out.
    """
    known: dict[str, tuple[str, Any]] = {}
    for name in sorted(trace_parameters(whole)):
        file = find_file(catalog, name)
        if file is None or not file.is_file():
            continue
        check_content(name, file)
        note = read_note(file)
        for key, value in (note["made_with"] if note else {}).items():
            other, before = known.setdefault(key, (name, value))
            for dotted, was, now in list_differences({key: before}, {key: value})[:1]:
                raise MammoscanError(
                    f"{other} was made with {dotted}={was}, but {name} with {dotted}={now}: these files are of two "
                    "runs; run the whole pipeline again"
                )


class FileCheck:
    """Compares the files of one run's pipelines with what this run would make."""

    def __init__(self, whole: Pipeline, catalog: CatalogProtocol) -> None:
        """Take everything that the run was started with, whatever part of it runs."""
        self._whole, self._catalog = whole, catalog
        self.traced, self._ancestors = trace_parameters(whole), trace_entries(whole)
        self.values = load_parameters(catalog, self.traced)
        self._makers = {entry: node for node in whole.nodes for entry in node.outputs}

    def check(self, name: str, remedy: str = REMEDY) -> None:
        """Refuse an entry whose file this run would not have made itself; one without a file is left to Kedro."""
        file = find_file(self._catalog, name)
        if file is None or not file.is_file():
            return  # Kedro itself names what is missing
        check_note(name, file, {key: self.values[key] for key in self.traced[name]}, remedy)
        check_content(name, file, remedy)
        sources = (
            (source, find_file(self._catalog, source)) for source in self._ancestors[name] & set(self.traced)
        )
        check_ages(name, file, [(source, path) for source, path in sources if path is not None], remedy)

    def is_usable(self, name: str) -> bool:
        """Return whether a run can start from an entry."""
        file = find_file(self._catalog, name)
        try:
            self.check(name)
        except MammoscanError:
            return False
        return file is None or file.is_file()

    def find_starts(self, part: Pipeline, run_params: dict[str, Any]) -> list[str]:
        """Return the nodes from which a part can be run that cannot begin where it was meant to.

        Args:
            part: What was to run.
            run_params: Kedro's; ``--to-nodes`` and ``--to-outputs`` still end the run.
        """
        ends = {key: run_params.get(key) or None for key in ("to_nodes", "to_outputs")}
        starts = {node.name for node in part.nodes}
        while True:
            run = self._whole.filter(from_nodes=sorted(starts), **ends)
            missing = {
                self._makers[name].name
                for name in run.inputs()
                if name in self._makers and not self.is_usable(name)
            }
            if not missing:
                break
            starts |= missing
        below: set[str] = set()
        for node in run.nodes:  # in the order in which they run
            if any(self._makers[name].name in below | starts for name in node.inputs if name in self._makers):
                below.add(node.name)
        return sorted(starts - below)


class ProvenanceHooks:
    """Keeps a note beside every file of what it was made with, and refuses inputs whose note differs."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Check the files that the run starts from, then announce those that it will write."""
        files = FileCheck(find_registered(run_params), catalog)
        for name in sorted(pipeline.inputs() & set(files.traced)):
            try:
                files.check(name)
            except MammoscanError:
                starts = files.find_starts(pipeline, run_params)
                files.check(
                    name, f"run the whole pipeline, or this part with --from-nodes {','.join(starts)}"
                )

        for name in pipeline.all_outputs():
            file = find_file(catalog, name)
            if file is not None:
                write_note(file, {key: files.values[key] for key in sorted(files.traced.get(name, set()))})

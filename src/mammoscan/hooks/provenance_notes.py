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

from mammoscan.provenance import check_ages, check_note, trace_entries, trace_parameters, write_note
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


class ProvenanceHooks:
    """Keeps a note beside every file of what it was made with, and refuses inputs whose note differs."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Check the files that the run starts from, then announce those that it will write."""
        whole = find_registered(run_params)
        traced, ancestors = trace_parameters(whole), trace_entries(whole)
        values = load_parameters(catalog, traced)

        for name in sorted(pipeline.inputs() & set(traced)):
            file = find_file(catalog, name)
            if file is None or not file.is_file():
                continue  # Kedro itself names what is missing
            check_note(name, file, {key: values[key] for key in traced[name]})
            check_content(name, file)
            sources = ((source, find_file(catalog, source)) for source in ancestors[name] & set(traced))
            check_ages(name, file, [(source, path) for source, path in sources if path is not None])

        for name in pipeline.all_outputs():
            file = find_file(catalog, name)
            if file is not None:
                write_note(file, {key: values[key] for key in sorted(traced.get(name, set()))})

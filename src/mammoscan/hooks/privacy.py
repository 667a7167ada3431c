"""With ``privacy.hash_ids`` reports, figures and cards hold hashed identifiers, and MLflow gets nothing else."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from mammoscan.datasets.bundle import Bundle
from mammoscan.privacy import Pseudonyms, activate
from mammoscan.records.base import Record
from mammoscan.records.dataset import DatasetRecord

REPORTING_LAYER = "08_reporting"


class PrivacyHooks:
    """Hashes what goes into reports and to MLflow; off unless ``privacy.hash_ids`` is true."""

    def __init__(self) -> None:
        self.pseudonyms: Pseudonyms | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Open the key where it is asked for."""
        asked = (context.params.get("privacy") or {}).get("hash_ids", False)
        self.pseudonyms = Pseudonyms.open(context.project_path) if asked else None
        activate(self.pseudonyms)
        if self.pseudonyms is not None:
            self.pseudonyms.learn([str(context.project_path)])
            self.pseudonyms.learn(_find_paths(context.params))
            _guard_mlflow(self)

    @hook_impl
    def before_node_run(
        self, node: Node, catalog: CatalogProtocol, inputs: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Give the nodes that write reports and figures hashed tables in place of the true ones."""
        hashes = self.pseudonyms
        if hashes is None:
            return None
        for value in inputs.values():
            if isinstance(value, pd.DataFrame):
                hashes.learn_table(value)
            elif isinstance(value, DatasetRecord):
                hashes.learn_folder(Path(value.folder))
        if not any(_is_report(catalog, name) for name in node.outputs):
            return None
        # A figure shows no folder, and may read the names of the files in it.
        figures = all(name.endswith("_figure") for name in node.outputs)
        replaced: dict[str, Any] = {}
        for name, value in inputs.items():
            if isinstance(value, pd.DataFrame):
                replaced[name] = hashes.hash_table(value)
            elif isinstance(value, Bundle):
                replaced[name] = _HashedBundle(value, hashes)
            elif isinstance(value, Record) and not (figures and isinstance(value, DatasetRecord)):
                replaced[name] = type(value).model_validate_json(hashes.scrub(value.model_dump_json()))
        return replaced

    def scrub(self, text: str) -> str:
        """Return a text as it may leave the machine."""
        return text if self.pseudonyms is None else self.pseudonyms.scrub(text)


PRIVACY = PrivacyHooks()


class _HashedBundle(Mapping[str, Any]):
    """A bundle whose tables are hashed when they are loaded."""

    def __init__(self, bundle: Bundle, hashes: Pseudonyms) -> None:
        self._bundle = bundle
        self._hashes = hashes

    def __getitem__(self, name: str) -> Any:
        found = self._bundle[name]
        if not isinstance(found, pd.DataFrame):
            return found
        self._hashes.learn_table(found)
        return self._hashes.hash_table(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._bundle)

    def __len__(self) -> int:
        return len(self._bundle)


def _find_paths(value: Any) -> Iterator[str]:
    """Yield the parameters that are a file or a folder, as they are given and in full."""
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _find_paths(inner)
    elif isinstance(value, str) and ("/" in value or "\\" in value):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            path = Path(value).expanduser()
            if path.exists():
                yield from (value, str(path), str(path.resolve()))


def _is_report(catalog: CatalogProtocol, name: str) -> bool:
    metadata = getattr(catalog.get(name), "metadata", None) or {}
    return metadata.get("kedro-viz", {}).get("layer") == REPORTING_LAYER


def _guard_mlflow(privacy: PrivacyHooks) -> None:
    """Scrub every parameter, tag, data set and file on its way to MLflow, whoever sends it."""
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, Param, RunTag

    if getattr(MlflowClient, "guarded", False):
        return
    client: Any = MlflowClient
    client.guarded = True
    log_param, log_batch, set_tag = client.log_param, client.log_batch, client.set_tag
    log_artifact, log_inputs = client.log_artifact, client.log_inputs

    def log_scrubbed_param(self: Any, run_id: str, key: str, value: Any, *rest: Any, **more: Any) -> Any:
        return log_param(self, run_id, key, privacy.scrub(str(value)), *rest, **more)

    def set_scrubbed_tag(self: Any, run_id: str, key: str, value: Any, *rest: Any, **more: Any) -> Any:
        return set_tag(self, run_id, key, privacy.scrub(str(value)), *rest, **more)

    def log_scrubbed_batch(
        self: Any, run_id: str, metrics: Any = (), params: Any = (), tags: Any = (), *rest: Any, **more: Any
    ) -> Any:
        params = [Param(one.key, privacy.scrub(str(one.value))) for one in params]
        tags = [RunTag(one.key, privacy.scrub(str(one.value))) for one in tags]
        return log_batch(self, run_id, metrics, params, tags, *rest, **more)

    def log_scrubbed_artifact(self: Any, run_id: str, local_path: Any, *rest: Any, **more: Any) -> Any:
        if privacy.pseudonyms is None:
            return log_artifact(self, run_id, local_path, *rest, **more)
        with tempfile.TemporaryDirectory() as folder:
            copy = privacy.pseudonyms.scrub_file(Path(local_path), Path(folder))
            return log_artifact(self, run_id, str(copy), *rest, **more)

    def log_scrubbed_inputs(self: Any, run_id: str, datasets: Any = None, *rest: Any, **more: Any) -> Any:
        scrubbed = [
            DatasetInput(
                Dataset(
                    privacy.scrub(one.dataset.name),
                    one.dataset.digest,
                    one.dataset.source_type,
                    privacy.scrub(one.dataset.source),
                    one.dataset.schema,
                    privacy.scrub(one.dataset.profile or "") or None,
                ),
                one.tags,
            )
            for one in datasets or ()
        ]
        return log_inputs(self, run_id, scrubbed, *rest, **more)

    client.log_param, client.log_batch, client.set_tag = (
        log_scrubbed_param,
        log_scrubbed_batch,
        set_scrubbed_tag,
    )
    client.log_artifact, client.log_inputs = log_scrubbed_artifact, log_scrubbed_inputs

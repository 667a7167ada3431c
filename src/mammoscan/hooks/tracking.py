from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from mammoscan.datasets.run_info import read_command, read_commit
from mammoscan.hooks.provenance import find_file, find_registered
from mammoscan.studies import STUDIES
from mammoscan.tracking import (
    PIPELINE_VARIABLE,
    RUN_ID_VARIABLE,
    STARTED_VARIABLE,
    TRACKING_URI_VARIABLE,
)

logger = logging.getLogger("mammoscan")

LONGEST_PARAMETER = 500


def flatten(block: Any, prefix: str) -> dict[str, Any]:
    """Return a nested block of parameters as dotted names and plain values."""
    if isinstance(block, BaseModel):
        block = block.model_dump(mode="json")
    if isinstance(block, Mapping) and block:
        flat: dict[str, Any] = {}
        for key, value in block.items():
            flat |= flatten(value, f"{prefix}.{key}")
        return flat
    return {prefix: block}


def flatten_metrics(block: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers in nested metrics under names like ``cnn/auc`` and ``cnn/auc_low``."""
    flat: dict[str, float] = {}
    for key, value in block.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if "value" in value:
                parts = {
                    name: value["value"],
                    f"{name}_low": value.get("low"),
                    f"{name}_high": value.get("high"),
                }
                flat |= {
                    part: float(number) for part, number in parts.items() if isinstance(number, int | float)
                }
            else:
                flat |= flatten_metrics(value, f"{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[name] = float(value)
    return {name: number for name, number in flat.items() if number == number}


def name_pipeline(run_params: Mapping[str, Any]) -> str:
    """Return the name under which the run was started, ``mias`` where none was given."""
    names = run_params.get("pipeline_names") or [run_params.get("pipeline_name")]
    return "mias" if names[0] in (None, "__default__") else "+".join(names)


def name_study(entry: str) -> str:
    """Return the study or data set to which a catalog entry belongs: the longest known name before a dot."""
    known = [
        name for name in (*STUDIES, *(s.dataset for s in STUDIES.values())) if entry.startswith(f"{name}.")
    ]
    return max(known, key=len, default=entry.split(".")[0])


class TrackingHooks:
    """Tells MLflow what kedro-mlflow does not: flat parameters, data, protocol, results, files, the error."""

    @hook_impl(trylast=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Write down with what the run starts; kedro-mlflow has opened it by now."""
        os.environ[STARTED_VARIABLE] = str(time.time())
        os.environ[PIPELINE_VARIABLE] = name_pipeline(run_params)
        os.environ.pop(RUN_ID_VARIABLE, None)
        run = mlflow.active_run()
        if run is None:
            return
        os.environ[RUN_ID_VARIABLE] = run.info.run_id
        os.environ[TRACKING_URI_VARIABLE] = mlflow.get_tracking_uri()
        used = sorted(name for name in pipeline.inputs() if name.startswith("params:"))
        flat: dict[str, Any] = {}
        for name in used:
            flat |= flatten(catalog.load(name), name.removeprefix("params:"))
        # kedro-mlflow logs single values itself; a second value under one name would be refused.
        nested = {f"params:{key}" for key in flat}.difference(used)
        mlflow.log_params(
            {key: str(flat[key])[:LONGEST_PARAMETER] for key in flat if f"params:{key}" in nested}
        )
        studies = sorted({name_study(name) for name in pipeline.all_outputs()} & set(STUDIES))
        protocols = sorted({STUDIES[name].protocol for name in studies})
        tags = {
            "study": name_pipeline(run_params),
            "protocol": ", ".join(protocols),
            "mlflow.source.git.commit": read_commit(Path(run_params["project_path"])),
            "command": read_command(),
        }
        mlflow.set_tags({key: value for key, value in tags.items() if value})

    @hook_impl(tryfirst=True)
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Send what the run left behind, before kedro-mlflow closes it."""
        if mlflow.active_run() is None:
            return
        self._tag_data(run_params, catalog)
        made = sorted(pipeline.all_outputs())
        main = name_pipeline(run_params)
        for name in made:
            track = (getattr(catalog.get(name), "metadata", None) or {}).get("mammoscan", {}).get("track")
            file = find_file(catalog, name)
            if not track or file is None or not file.is_file():
                continue
            variant = name_study(name).removeprefix(main).lstrip(".")
            mlflow.log_artifact(str(file), artifact_path=variant or None)
            if track == "metrics":
                prefix = f"{variant}/" if variant else ""
                mlflow.log_metrics(flatten_metrics(json.loads(file.read_text()), prefix))
        self._log_model(main, catalog, made)
        mlflow.log_metric("seconds", time.time() - float(os.environ[STARTED_VARIABLE]))
        self._say_where(made, catalog)

    @hook_impl(tryfirst=True)
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Note the error, before kedro-mlflow closes the run as failed."""
        if mlflow.active_run() is not None:
            self._tag_data(run_params, catalog)
            mlflow.set_tag("error", f"{type(error).__name__}: {error}"[:5000])

    @staticmethod
    def _tag_data(run_params: dict[str, Any], catalog: CatalogProtocol) -> None:
        """Tag the run with the kind of data and log each data set with its fingerprint."""
        for name in find_registered(run_params).datasets():
            file = find_file(catalog, name) if name.endswith(".raw") else None
            if file is None or not file.is_file():
                continue
            record = json.loads(file.read_text())
            mlflow.set_tag("data", record["kind"])
            mlflow.set_tag("data_fingerprint", record["fingerprint"])
            source = mlflow.data.http_dataset_source.HTTPDatasetSource(record["address"])
            dataset = mlflow.data.meta_dataset.MetaDataset(
                source, name=f"{record['dataset']} ({record['kind']})", digest=record["fingerprint"][:16]
            )
            mlflow.log_input(dataset, context="training")

    @staticmethod
    def _log_model(main: str, catalog: CatalogProtocol, made: list[str]) -> None:
        """Log the model that a run hands on: the final one, or the single one of an article's procedure."""
        study = STUDIES.get(main)
        if study is None:
            return
        entry = f"{main}.final.model" if study.protocol == "patient" else f"{main}.fold_0.model"
        network = find_file(catalog, entry)
        if entry not in made or network is None or not network.is_file():
            return
        from mammoscan.serving.package import log_model

        question, record = catalog.load(f"params:{main}.question"), catalog.load(f"{study.dataset}.raw")
        crop = catalog.load(f"params:{main}.crop")
        log_model(
            network,
            {
                "study": main,
                "protocol": study.protocol,
                "data": record["kind"],
                "data_fingerprint": record["fingerprint"],
                "labels": list(question.labels),
                "positive": question.positive,
                "threshold": catalog.load(f"params:{main}.evaluation").threshold,
                "training": catalog.load(f"params:{main}.training").model_dump(mode="json"),
                "views": catalog.load(f"params:{main}.views").model_dump(mode="json"),
                "input": crop.model_dump(mode="json"),
                "shape": [int(side) for side in catalog.load(f"{main}.pixels").shape[1:]],
                "metrics": json.loads(metrics.read_text())["cnn"]
                if (metrics := find_file(catalog, f"{main}.metrics")) and metrics.is_file()
                else {},
                "notice": "Research use. Not a medical device.",
            },
        )

    @staticmethod
    def _say_where(made: list[str], catalog: CatalogProtocol) -> None:
        for name in made:
            if name.endswith(".report"):
                logger.info("report: %s", find_file(catalog, name))
        logger.info("compare runs: mlflow ui --backend-store-uri %s", mlflow.get_tracking_uri())

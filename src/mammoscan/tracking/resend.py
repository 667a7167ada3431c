"""Sending a finished run to MLflow from what it left on disk: after its tracking was lost, or from another machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mlflow
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from mammoscan.errors import MammoscanError
from mammoscan.seals import RUN_VARIABLE, check_content, read_seal


def send_run(project: Path, pipeline: str, env: str | None, params: dict[str, Any]) -> str:
    """Log the files of a finished run as a new MLflow run.

    Args:
        project: The project's folder.
        pipeline: The pipeline that was run.
        env: The environment that it was run in.
        params: What stood behind ``--params``; other values than the files were made with are refused.

    Returns:
        The MLflow run's id.
    """
    bootstrap_project(project)
    from mammoscan.hooks.mlflow_results import name_study
    from mammoscan.hooks.mlflow_run import TrackingHooks
    from mammoscan.hooks.provenance_notes import find_file, load_parameters
    from mammoscan.provenance import check_note, trace_parameters
    from mammoscan.tracking.live import EpochLog, find_variant

    with KedroSession.create(project, env=env, runtime_params=params) as session:
        context = session.load_context()  # type: ignore[attr-defined]
        whole, catalog = pipelines[pipeline], context.catalog
        traced = trace_parameters(whole)
        values = load_parameters(catalog, traced)
        files = {name: find_file(catalog, name) for name in sorted(whole.all_outputs())}
        runs: set[str] = set()
        for name, file in files.items():
            if file is None:
                continue
            if not file.is_file():
                raise MammoscanError(
                    f"{name}: found no {file}, expected the file of a finished run; run kedro run --pipeline {pipeline}"
                )
            check_note(name, file, {key: values[key] for key in sorted(traced[name])})
            check_content(name, file)
            seal = read_seal(file)
            if seal is not None and seal.run:
                runs.add(seal.run)
        arguments = {
            "run_params": {"pipeline_names": [pipeline], "project_path": str(project)},
            "pipeline": whole,
            "catalog": catalog,
        }
        hooks = TrackingHooks()
        os.environ[RUN_VARIABLE] = ",".join(sorted(runs))
        with mlflow.start_run(run_name=pipeline) as run:
            hooks.before_pipeline_run(**arguments)
            mlflow.set_tag("sent", "from disk")
            for name, file in files.items():
                if name.endswith(".history") and file is not None:
                    study = name_study(name)
                    part = name.removeprefix(f"{study}.").removesuffix(".history")
                    with EpochLog("/".join(word for word in (find_variant(study), part) if word)) as log:
                        for epoch in catalog.load(name).epochs:
                            log.add(epoch)
            hooks.after_pipeline_run(**arguments)
            os.environ.pop(RUN_VARIABLE, None)
            return run.info.run_id

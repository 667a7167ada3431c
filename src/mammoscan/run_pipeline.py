"""Run a pipeline from a command of ``mammoscan``, as ``kedro run`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def run_pipeline(name: str, values: Mapping[str, Any], env: str | None = None) -> None:
    """Run a pipeline of the project around the current folder.

    Args:
        name: The pipeline, and the block of its parameters.
        values: What is changed in the block; files are named by whole paths.
        env: Kedro's environment; None means that of the variable ``KEDRO_ENV``, or ``local``.
    """
    from mammoscan.log_setup import silence_libraries

    silence_libraries()
    from mammoscan.resolvers import find_project_root

    root = Path(find_project_root())
    # Where Kedro looks for conf/logging.yml when it is imported.
    os.chdir(root)
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(root)
    environment = env or os.environ.get("KEDRO_ENV")
    with KedroSession.create(root, env=environment, runtime_params={name: dict(values)}) as session:
        session.run(pipeline_names=[name])  # type: ignore[call-arg]

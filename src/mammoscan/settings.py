"""Project settings, see https://docs.kedro.org/en/stable/configure/."""

from typing import Any

from mammoscan.config_loader import ConfigLoader
from mammoscan.hooks import (
    PRIVACY,
    RUN_LOCK,
    TRACKING_LOSS,
    CheckpointHooks,
    ParameterHooks,
    ProvenanceHooks,
    TrackingHooks,
)
from mammoscan.resolvers import find_project_root, pick

# Kedro calls the last one first: parameters are checked, and the data folder is this run's, before anything is written.
HOOKS = (
    CheckpointHooks(),
    TrackingHooks(),
    ProvenanceHooks(),
    RUN_LOCK,
    TRACKING_LOSS,
    PRIVACY,
    ParameterHooks(),
)

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    # conf/test and conf/local change single values, not whole blocks.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft", "globals": "soft"},
    "custom_resolvers": {"project_root": find_project_root, "pick": pick},
}

"""Project settings, see https://docs.kedro.org/en/stable/configure/."""

from typing import Any

from kedro.config import OmegaConfigLoader

from mammoscan.hooks import ParameterHooks, ProvenanceHooks, TrackingHooks
from mammoscan.resolvers import find_project_root, pick

# Kedro calls the last one first: parameters are checked before anything is written down.
HOOKS = (TrackingHooks(), ProvenanceHooks(), ParameterHooks())

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    # conf/test and conf/local change single values, not whole blocks.
    "merge_strategy": {"parameters": "soft", "mlflow": "soft", "globals": "soft"},
    "custom_resolvers": {"project_root": find_project_root, "pick": pick},
}

"""Mammoscan: medical image classification whose numbers hold on new patients."""

import os
import warnings
from typing import Any

# The project sends nothing anywhere; MLflow reads this when it is first imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
# TensorFlow's start-up chatter would bury the run's own words.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "0.1.0"

# Warnings of the libraries among themselves, about which a user of the project can do nothing.
HIDDEN_WARNINGS = (
    "register_new_resolver() is deprecated",  # Kedro's use of OmegaConf
    "Add type hints to the `predict` method",  # kedro-mlflow's own model class
    "One or more dataset names contain '.'",  # a study's node reads entries of its folds, which are namespaces
    "Option '--pipeline' is deprecated",  # it works, and is what users of Kedro type
)


def silence_libraries() -> None:
    """Do not print ``HIDDEN_WARNINGS``.

    Kedro calls this before it loads its plugins (entry point ``kedro.init``), whose imports warn already. Filters
    would not do: the libraries put their own before ours when they are imported later.
    """
    show = warnings.showwarning
    if getattr(show, "is_mammoscan", False):
        return

    def show_others(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        if not any(hidden in str(message) for hidden in HIDDEN_WARNINGS):
            show(message, *args, **kwargs)

    show_others.is_mammoscan = True  # type: ignore[attr-defined]
    warnings.showwarning = show_others


silence_libraries()

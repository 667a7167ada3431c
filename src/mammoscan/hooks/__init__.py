"""What happens around the nodes: parameters are checked, files vouched for, the run tracked."""

from mammoscan.hooks.mlflow_run import TrackingHooks
from mammoscan.hooks.parameters import ParameterHooks
from mammoscan.hooks.provenance_notes import ProvenanceHooks

__all__ = ["ParameterHooks", "ProvenanceHooks", "TrackingHooks"]

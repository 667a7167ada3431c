"""What happens around the nodes: parameters are checked, files vouched for, the run tracked."""

from mammoscan.hooks.parameters import ParameterHooks
from mammoscan.hooks.provenance import ProvenanceHooks
from mammoscan.hooks.tracking import TrackingHooks

__all__ = ["ParameterHooks", "ProvenanceHooks", "TrackingHooks"]

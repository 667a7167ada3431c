"""What happens around the nodes: parameters are checked, files' provenance checked, the run tracked."""

from mammoscan.hooks.checkpoints import CheckpointHooks
from mammoscan.hooks.mlflow_run import TrackingHooks
from mammoscan.hooks.parameters import ParameterHooks
from mammoscan.hooks.privacy import PRIVACY
from mammoscan.hooks.provenance_notes import ProvenanceHooks
from mammoscan.hooks.run_lock import RUN_LOCK
from mammoscan.hooks.tracking_loss import TRACKING_LOSS

__all__ = [
    "PRIVACY",
    "RUN_LOCK",
    "TRACKING_LOSS",
    "CheckpointHooks",
    "ParameterHooks",
    "ProvenanceHooks",
    "TrackingHooks",
]

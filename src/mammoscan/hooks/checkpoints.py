from __future__ import annotations

import re

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from mammoscan.provenance import MACHINE_PARAMETERS
from mammoscan.training.checkpoints import clear_checkpoints

TRAINING_FOLDER = re.compile(r"params:run\..+\.training_folder")
TRAINING = re.compile(r"\.(fold_\d+|final)\.")


class CheckpointHooks:
    """Clears the checkpoints of what is trained anew.

    Each training clears its own when it begins. A run that is killed before its last training would otherwise leave
    those of an earlier recipe, and could not be resumed.
    """

    @hook_impl(trylast=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Clear them once every check has passed; a run that resumes keeps them."""
        if MACHINE_PARAMETERS not in pipeline.inputs() or catalog.load(MACHINE_PARAMETERS).resume:
            return
        for node in pipeline.nodes:
            for name in filter(TRAINING_FOLDER.fullmatch, node.inputs):
                clear_checkpoints(
                    catalog.load(name),
                    {found[1] for entry in node.outputs if (found := TRAINING.search(entry))},
                )

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from mammoscan.hooks import CheckpointHooks
from mammoscan.params import MachineParams

FOLDER = "params:run.mias.training_folder"


def train(machine: MachineParams, folder: Path) -> str:
    return "network"


WHOLE = Pipeline(
    [
        Node(train, ["params:train", FOLDER], f"mias.{part}.model", name=f"train_{part}")
        for part in ("fold_0", "fold_1", "final")
    ]
)
KEPT = {
    "fold_0/checkpoints/training.ckpt",
    "fold_0/checkpoints/training.ckpt.previous",
    "fold_1/checkpoints/training.ckpt",
    "fold_1/search/trials.db",
    "mias.seed_1/fold_1/checkpoints/training.ckpt",
    "final/checkpoints/training.ckpt",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in KEPT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def begin(folder: Path, pipeline: Pipeline, *, resume: bool = False) -> set[str]:
    """Begin a run; return what it leaves."""
    catalog = DataCatalog.from_config(
        {FOLDER: {"type": "mammoscan.datasets.FolderDataset", "filepath": str(folder)}}
    )
    catalog["params:train"] = MachineParams(resume=resume)
    CheckpointHooks().before_pipeline_run(pipeline=pipeline, catalog=catalog)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_trained_anew_has_no_checkpoints_left(folder: Path) -> None:
    assert begin(folder, WHOLE) == {"fold_1/search/trials.db"}


def test_a_part_clears_only_its_own_trainings(folder: Path) -> None:
    gone = {"fold_1/checkpoints/training.ckpt", "mias.seed_1/fold_1/checkpoints/training.ckpt"}
    assert begin(folder, WHOLE.only_nodes("train_fold_1")) == KEPT - gone


def test_a_resumed_run_keeps_them(folder: Path) -> None:
    assert begin(folder, WHOLE, resume=True) == KEPT

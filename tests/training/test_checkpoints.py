from __future__ import annotations

import logging
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.records.history import Epoch
from mammoscan.training import checkpoints
from mammoscan.training.checkpoints import Checkpointer, Snapshot


def make_snapshot(epoch: int) -> Snapshot:
    state = [np.full((2, 3), epoch, np.float32), np.array(epoch, np.int64), np.arange(2, dtype=np.uint32)]
    return Snapshot(epoch, state, [np.full(12, 0.5)], {"loss": 0.1 * epoch, "best": -math.inf})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fold" / "training.ckpt"


def test_a_snapshot_comes_back_as_it_was(path: Path) -> None:
    saved = make_snapshot(3)
    Checkpointer(path, {"a": 1}).save_snapshot(saved)
    loaded = Checkpointer(path, {"a": 1}).load_snapshot()
    assert loaded is not None
    assert (loaded.epoch, loaded.memory) == (3, saved.memory)
    for a, b in zip([*loaded.state, *loaded.best], [*saved.state, *saved.best], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_more_than_ten_arrays_keep_their_order(path: Path) -> None:
    Checkpointer(path, {}).save_snapshot(Snapshot(1, [np.array(i) for i in range(25)], [], {}))
    loaded = Checkpointer(path, {}).load_snapshot()
    assert loaded is not None
    assert [int(value) for value in loaded.state] == list(range(25))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_torn_checkpoint_gives_way_to_the_one_before(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpointer = Checkpointer(path, {})
    for epoch in (1, 2, 3):
        checkpointer.save_snapshot(make_snapshot(epoch))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-40], "flipped": content, "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        loaded = checkpointer.load_snapshot()
    assert loaded is not None
    assert loaded.epoch == 2
    assert "is torn" in caplog.text


def test_a_kill_between_the_two_renames_leaves_the_one_before(path: Path) -> None:
    checkpointer = Checkpointer(path, {})
    checkpointer.save_snapshot(make_snapshot(1))
    path.replace(path.with_name(path.name + ".previous"))
    loaded = checkpointer.load_snapshot()
    assert loaded is not None
    assert loaded.epoch == 1


def test_two_torn_checkpoints_are_none(path: Path) -> None:
    checkpointer = Checkpointer(path, {})
    for epoch in (1, 2):
        checkpointer.save_snapshot(make_snapshot(epoch))
    for file in path.parent.iterdir():
        file.write_bytes(b"torn")
    assert checkpointer.load_snapshot() is None


@pytest.mark.parametrize(
    ("now", "key"),
    [
        ({"recipe": {"epochs": 3, "seed": 1}}, "recipe.seed is 1 now, but was 0"),
        ({"recipe": {"epochs": 3}}, "recipe.seed is None now, but was 0"),
        ({"recipe": {"epochs": 3, "seed": 0}, "data": "x"}, "data is 'x' now, but was None"),
    ],
)
def test_another_fingerprint_is_refused_and_the_key_named(path: Path, now: dict[str, Any], key: str) -> None:
    Checkpointer(path, {"recipe": {"epochs": 3, "seed": 0}}).save_snapshot(make_snapshot(1))
    with pytest.raises(MammoscanError, match=key):
        Checkpointer(path, now).load_snapshot()


def test_writing_takes_a_bounded_share_of_the_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    checkpointer = Checkpointer(path, {})
    assert not checkpointer.is_due()
    clock[0] += 1.5
    assert checkpointer.is_due()
    checkpointer.save_snapshot(make_snapshot(1), started=clock[0] - 3.0)
    clock[0] += 59
    assert not checkpointer.is_due()
    clock[0] += 2
    assert checkpointer.is_due()


@pytest.mark.slow
def test_without_resume_an_old_checkpoint_is_removed(
    train: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_MIN_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 1e9)
    Checkpointer(path, {"other": 1}).save_snapshot(make_snapshot(1))
    seen = []
    train(
        checkpoint=path, on_epoch=lambda row: seen.append(sorted(file.name for file in path.parent.iterdir()))
    )
    assert seen == [[], ["training.ckpt"], ["training.ckpt", "training.ckpt.previous"]]


@pytest.mark.parametrize("validation", [None, np.empty(0, int)], ids=["best epoch", "last epoch"])
def test_a_training_that_had_ended_is_not_repeated(train: Any, path: Path, validation: Any) -> None:
    words = {"checkpoint": path, "patience": 5, "validation": validation}
    model, history = train(**words)
    epochs: list[Any] = []
    again, told = train(resume=True, on_epoch=epochs.append, **words)
    assert epochs == []
    assert told.resumed_after == 3
    assert (told.epochs, told.best_epoch) == (history.epochs, history.best_epoch)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(MammoscanError, match=r"recipe\.seed is 4 now, but was 0"):
        train(resume=True, seed=4, **words)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "fit"])
def test_a_resumed_training_ends_with_the_bits_of_an_uninterrupted_one(
    train: Any, path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(checkpoints, "_MIN_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "_SHARE", 1e9)
    words = {
        "epochs": 6,
        "patience": 3,
        "learning_rate": 0.01,
        "engine": engine,
        "checkpoint": path,
        "seed": 3,
    }
    whole, history = train(**words)

    def stop(row: Epoch) -> None:
        if row.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(on_epoch=stop, **words)
    with pytest.raises(MammoscanError, match=r"recipe\.batch_size is 8 now, but was 16"):
        train(resume=True, batch_size=8, **words)
    with pytest.raises(MammoscanError, match=r"data\.pixels is 'b' now, but was None"):
        train(resume=True, fingerprint={"pixels": "b"}, **words)
    resumed, again = train(resume=True, **words)
    assert again.resumed_after == 3
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.best_epoch == history.best_epoch
    for a, b in zip(history.epochs, again.epochs, strict=True):
        assert a.model_copy(update={"seconds": 0}) == b.model_copy(update={"seconds": 0})


def test_resume_without_a_checkpoint_begins_at_the_beginning(train: Any, path: Path) -> None:
    _, history = train(checkpoint=path, resume=True)
    assert history.resumed_after is None
    assert len(history.epochs) == 3


SCRIPT = textwrap.dedent(
    """
    import pickle, sys
    from pathlib import Path
    import numpy as np
    from mammoscan.training import checkpoints
    from mammoscan.training.setup import TrainingData
    from mammoscan.training.train import TrainingOptions, train_network
    from mammoscan.params import MachineParams, Recipe, ViewParams

    checkpoints._MIN_SECONDS, checkpoints._SHARE = 0.0, 1e9
    folder, resume = Path(sys.argv[1]), sys.argv[2] == "resume"
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 16, 16, 1), dtype=np.uint8)
    targets = rng.integers(0, 2, 60)
    model, history = train_network(
        TrainingData(pixels, targets, np.arange(40), np.arange(40, 60), 2),
        recipe=Recipe(epochs=40, patience=40, batch_size=16), views=ViewParams(),
        machine=MachineParams(resume=resume, device="cpu"),
        options=TrainingOptions(
            checkpoint=folder / "training.ckpt", on_epoch=lambda row: print(row.epoch, flush=True)
        ),
    )
    epochs = [epoch.model_dump(exclude={"seconds"}) for epoch in history.epochs]
    (folder / "result").write_bytes(pickle.dumps((model.get_weights(), epochs, history.resumed_after)))
    """
)


def start(folder: Path, mode: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-c", SCRIPT, str(folder), mode]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_bits_of_one_that_was_not(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    victim = start(killed, "fresh")
    assert victim.stdout is not None
    for line in victim.stdout:
        if int(line) == 17:
            os.kill(victim.pid, signal.SIGKILL)
            break
    victim.stdout.close()
    assert victim.wait(60) == -signal.SIGKILL
    assert not (killed / "result").exists()
    deadline = time.monotonic() + 120
    runs = [start(killed, "resume"), start(whole, "fresh")]
    for run in runs:
        run.communicate(timeout=deadline - time.monotonic())
        assert run.returncode == 0
    resumed, wanted = (pickle.loads((folder / "result").read_bytes()) for folder in (killed, whole))
    assert resumed[2] >= 15
    assert wanted[2] is None
    assert resumed[1] == wanted[1]
    for a, b in zip(resumed[0], wanted[0], strict=True):
        np.testing.assert_array_equal(a, b)

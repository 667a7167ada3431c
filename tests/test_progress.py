from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from mammoscan import progress
from mammoscan.pipelines.modelling import nodes
from mammoscan.progress import show_progress
from mammoscan.records.history import Epoch


def test_it_says_nothing_where_the_output_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with show_progress("train fold 1 of 5") as advance:
        advance(1, 2, "loss 0.7")
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_the_title_how_far_it_is_and_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    with show_progress("train fold 1 of 5") as advance:
        advance(3, 7, "loss 0.7")
    shown = terminal.file.getvalue()
    assert "train fold 1 of 5" in shown
    assert "3/7" in shown
    assert "loss 0.7" in shown


def test_an_error_within_it_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), show_progress("x"):
        raise ZeroDivisionError


def test_a_training_shows_the_best_epoch_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    words = []

    @contextmanager
    def note(title: str) -> Iterator[Callable[[int, int, str], None]]:
        yield lambda done, total, said: words.append(f"{title} {done}/{total} {said}")

    monkeypatch.setattr(nodes, "show_progress", note)
    with nodes.follow_training(Path("mias/fold_0/checkpoints"), "fold 1 of 5", 4, "auc") as on_epoch:
        for number, auc in enumerate((float("nan"), 0.6, 0.8, 0.7), 1):
            on_epoch(
                Epoch(
                    epoch=number,
                    loss=0.5,
                    accuracy=0.5,
                    learning_rate=0.1,
                    seconds=1,
                    val_loss=0.4,
                    val_accuracy=0.5,
                    val_auc=auc,
                )
            )
    assert words == [
        "fold 1 of 5 1/4 loss 0.500",
        "fold 1 of 5 2/4 loss 0.500, best auc 0.600 in epoch 2",
        "fold 1 of 5 3/4 loss 0.500, best auc 0.800 in epoch 3",
        "fold 1 of 5 4/4 loss 0.500, best auc 0.800 in epoch 3",
    ]

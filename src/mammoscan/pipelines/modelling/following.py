from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mammoscan.progress import show_progress
from mammoscan.tracking import EpochLog, find_variant


@contextmanager
def follow_training(checkpoints: Path, title: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Show a bar and send every epoch to MLflow while a network trains.

    Args:
        checkpoints: The training's own folder: the catalog names it by study and fold, so it tells what is trained.
        title: What stands beside the bar.
    """
    study, part = checkpoints.parts[-3:-1]
    log = EpochLog("/".join(word for word in (find_variant(study), part) if word))
    with show_progress(title) as advance:

        def on_epoch(epoch: dict[str, Any]) -> None:
            log.add(epoch)
            advance(epoch["epoch"], epoch["epochs"], f"loss {epoch['loss']:.3f}")

        yield on_epoch
    log.flush()


def name_variant(checkpoints: Path) -> str:
    """Return the variant of a study that is trained, in words and with a colon; nothing for the study itself."""
    variant = find_variant(checkpoints.parts[-3])
    return f"{variant.replace('_', ' ')}: " if variant else ""

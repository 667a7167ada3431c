"""One live progress bar for the long parts of a run; nothing where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int, int, str], None]


@contextmanager
def show_progress(title: str) -> Iterator[Advance]:
    """Show a bar while the block runs.

    Args:
        title: What is going on, e.g. ``mias.fold_2``.

    Yields:
        A function of (done, of how many, a few words) that moves the bar.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=1, words="")

        def advance(done: int, total: int, words: str = "") -> None:
            bar.update(task, completed=done, total=total, words=words)

        yield advance

"""A progress bar on stderr, silent where stderr is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def show_progress(text: str, is_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a live progress bar for a long part of a run.

    Args:
        text: What is being done, e.g. ``Downloading all-mias.tar.gz``.
        is_bytes: Whether the counts are bytes.

    Yields:
        A function that takes how much is done and how much there is; 0 of 0 means that nobody knows.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    count = DownloadColumn() if is_bytes else MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress("{task.description}", BarColumn(), count, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)

"""What a run is told of itself, and its reports repeat."""

from __future__ import annotations

from mammoscan.records.base import Record


class RunInfo(Record):
    """The facts of one run.

    Attributes:
        pipeline: Its name.
        started: Seconds since 1970; 0 where nothing was started, in a test say.
        command: As it would be typed; None in a notebook.
        commit: The project's, with ``-dirty`` where files differ from it; None outside git.
        run_id: Of MLflow; None without tracking.
        versions: Of the packages that its numbers depend on.
        python: The interpreter's version.
        machine: Its system and processors.
    """

    pipeline: str
    started: float
    command: str | None
    commit: str | None
    run_id: str | None
    versions: dict[str, str]
    python: str
    machine: str

"""What each file was made with, so that files of two data sets or two recipes never mix.

Beside every file that a run writes lies ``.<file>.made_with.json``: the values of all parameters upstream of it.
It is written before the run's first node, and a file answers to the newest note that is older than itself: a run that
dies half-way thus changes nothing about the files that it did not come to write.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from mammoscan.atomic_write import write_whole
from mammoscan.errors import MammoscanError
from mammoscan.seals import made_at

# How a machine runs a recipe changes nothing that a file means; nor does the folder that a node works in.
MACHINE_PARAMETERS = "params:train"
RUN_PARAMETERS = "params:run."

# The clock that stamps files may lag behind the one that stamps notes by a tick of the kernel.
CLOCK_SLACK_S = 0.05


def trace_parameters(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return, for every entry that the pipeline makes, the names of the parameters upstream of it."""
    traced: dict[str, set[str]] = {}
    for node in pipeline.nodes:
        found: set[str] = set()
        for name in node.inputs:
            found |= {name} if name.startswith("params:") else traced.get(name, set())
        found = {name for name in found if name != MACHINE_PARAMETERS and not name.startswith(RUN_PARAMETERS)}
        traced |= dict.fromkeys(node.outputs, found)
    return traced


def trace_entries(pipeline: Pipeline) -> dict[str, set[str]]:
    """Return, for every entry that the pipeline makes, the entries upstream of it."""
    traced: dict[str, set[str]] = {}
    for node in pipeline.nodes:
        found: set[str] = set()
        for name in node.inputs:
            found |= {name, *traced.get(name, set())}
        for name in node.outputs:
            traced[name] = found
    return traced


def note_path(file: Path) -> Path:
    """Return where the note about ``file`` lies."""
    return file.with_name(f".{file.name}.made_with.json")


def read_note(file: Path) -> dict[str, Any] | None:
    """Return the note that ``file`` answers to: the newest one that is not younger than the file."""
    path = note_path(file)
    if not (file.is_file() and path.is_file()):
        return None
    written = made_at(file) + CLOCK_SLACK_S
    notes = [note for note in json.loads(path.read_text(encoding="utf-8")) if note["since"] <= written]
    return max(notes, key=lambda note: note["since"], default=None)


def write_note(file: Path, made_with: Mapping[str, Any]) -> None:
    """Say what the file that is about to be written will be made with, and keep the note of the present one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    present = read_note(file)
    notes = ([present] if present else []) + [{"since": time.time(), "made_with": made_with}]
    with write_whole(note_path(file)) as part:
        part.write_text(json.dumps(notes, indent=1), encoding="utf-8")


REMEDY = "run the whole pipeline, or start from a node before it"


def check_note(name: str, file: Path, made_with: Mapping[str, Any], remedy: str = REMEDY) -> None:
    """Refuse a file that was made with other parameters, or of which nothing is known.

    Args:
        name: The catalog entry.
        file: Its file, which exists.
        made_with: What this run would make it with.
        remedy: What to do.
    """
    note = read_note(file)
    if note is None:
        raise MammoscanError(f"{name}: nothing says what {file.name} was made with; {remedy}")
    differing = list_differences(note["made_with"], json.loads(json.dumps(made_with)))
    if differing:
        key, was, now = differing[0]
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise MammoscanError(
            f"{name} was made with {key}={was}, this run asks for {key}={now}{more}; {remedy}"
        )


def list_differences(was: Any, now: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Return the dotted keys whose values differ between two nested dictionaries, with both values."""
    if isinstance(was, dict) and isinstance(now, dict):
        found: list[tuple[str, Any, Any]] = []
        for name in sorted(set(was) | set(now)):
            dotted = f"{key}.{name}" if key else name.removeprefix("params:")
            found += list_differences(was.get(name), now.get(name), dotted)
        return found
    return [] if was == now else [(key, was, now)]


def check_ages(name: str, file: Path, upstream: Iterable[tuple[str, Path]], remedy: str = REMEDY) -> None:
    """Refuse a file that is older than one which it is made from, as ``make`` would."""
    for source, path in upstream:
        if path.is_file() and path.stat().st_mtime > made_at(file) + CLOCK_SLACK_S:
            raise MammoscanError(f"{name} is older than {source}, from which it is made; {remedy}")

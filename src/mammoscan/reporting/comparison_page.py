"""One self-contained HTML page that sets runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mammoscan.figures.style import STAMPS
from mammoscan.reporting.render import MEASURES, name_measure, render_page, say
from mammoscan.reporting.report import embed_picture


def build_comparison(
    runs: Sequence[Mapping[str, Any]],
    pairs: Sequence[Mapping[str, Any]],
    figures: Mapping[str, bytes],
    level: float,
) -> str:
    """Return the page; it needs no other file, no script and no network.

    Args:
        runs: What ``sources.runs.read_runs`` returned.
        pairs: What ``evaluation.run_pairs.compare_pairs`` returned.
        figures: PNG bytes of ``roc`` and ``training``.
        level: Coverage of the pairs' intervals.
    """
    kinds = {run["data"] for run in runs}
    worst = next((kind for kind in ("phantom", "modified") if kind in kinds), "")
    return render_page(
        "comparison.html.j2",
        runs=runs,
        banner=(STAMPS.get(worst, ""), say("banner", worst)),
        measures=list_measures(runs),
        pairs=[{**pair, "verdict": say("pair", pair)} for pair in pairs],
        warning=say("many_pairs", sum("why" not in pair for pair in pairs), level),
        parameters=list_differences(runs),
        level=f"{100 * level:g} %",
        pictures={name: embed_picture(f"compared_{name}", png) for name, png in figures.items()},
    )


def list_measures(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a measure that any run has: ``name``, ``meaning`` and a cell a run."""
    found = [
        (key, meaning)
        for key, _, meaning in MEASURES
        if any(isinstance(run["metrics"].get(key), Mapping) for run in runs)
    ]
    positives = {run["positive"] for run in runs}
    positive = positives.pop() if len(positives) == 1 else "the positive label"
    return [
        {
            "name": name_measure(key),
            "meaning": meaning.format(positive=positive),
            "cells": [run["metrics"].get(key) for run in runs],
        }
        for key, meaning in found
    ]


def list_differences(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a parameter whose values are not the same in all runs; "–" where a run has none."""
    names = sorted({name for run in runs for name in run["parameters"]})
    rows = [{"name": name, "cells": [run["parameters"].get(name, "–") for run in runs]} for name in names]
    return [row for row in rows if len(set(row["cells"])) > 1]

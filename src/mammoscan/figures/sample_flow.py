"""The flow of patients and images, drawn from top to bottom; what is left out or set aside stands at the right."""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mammoscan.figures.style import BLUE, INK, MUTED, PAPER, SMALL_SIZE, WIDTH, new_figure
from mammoscan.records.flow import FlowCount, SampleFlow

SIDE_NAMES = {"train": "training", "validation": "validation", "test": "test", "out": "not used"}
MAX_REASONS = 6
_LEFT, _MIDDLE, _COLUMN, _LINE, _GAP, _PAD = 0.1, 4.7, 4.0, 0.2, 0.34, 0.12


def draw_sample_flow(flow: SampleFlow, stamp: str) -> Figure:
    """Return the flow diagram.

    Args:
        flow: What was counted.
        stamp: See ``style.draw_stamp``.
    """
    steps = [(_wrap(lines), _wrap(aside)) for lines, aside in list_steps(flow)]
    heights = [max(_measure(lines), _measure(aside)) for lines, aside in steps]
    total = sum(heights) + _GAP * (len(steps) - 1) + 0.1
    figure = new_figure(total, "Flow of patients and images", stamp, arrange=False)
    share = total / figure.get_size_inches()[1]
    axes = figure.add_axes((0, 0, 1, share))
    axes.set(xlim=(0, WIDTH), ylim=(0, total))
    axes.axis("off")
    top = total - 0.05
    for number, ((lines, aside), height) in enumerate(zip(steps, heights, strict=True)):
        _draw_box(axes, _LEFT, top, _COLUMN, lines, BLUE)
        if aside:
            _draw_box(axes, _MIDDLE, top, WIDTH - _MIDDLE - 0.1, aside, MUTED)
            level = top - min(_measure(lines), _measure(aside)) / 2
            _draw_arrow(axes, (_LEFT + _COLUMN, level), (_MIDDLE, level))
        if number < len(steps) - 1:
            centre = _LEFT + _COLUMN / 2
            _draw_arrow(axes, (centre, top - _measure(lines)), (centre, top - height - _GAP))
        top -= height + _GAP
    return figure


def list_steps(flow: SampleFlow) -> list[tuple[list[str], list[str]]]:
    """Return the lines of each step, and of what leaves there."""
    found = f"{flow.found:,} {flow.source_unit}"
    if flow.found_patients is not None:
        found += f" of {flow.found_patients:,} patients"
    reasons = sorted(flow.rejected.items(), key=lambda item: -item[1])
    left_out = [f"{count:,}: {reason}" for reason, count in reasons[:MAX_REASONS]]
    if len(reasons) > MAX_REASONS:
        rest = sum(count for _, count in reasons[MAX_REASONS:])
        left_out.append(f"{rest:,}: {len(reasons) - MAX_REASONS} other reasons")
    if left_out:
        left_out = [f"Left out, files or lines of notes: {sum(flow.rejected.values()):,}", *left_out]
    if flow.found_patients is not None and flow.samples.patients is not None:
        gone = flow.found_patients - flow.samples.patients
        left_out += [f"{gone:,} patients without any sample"] if gone > 0 else []
    aside = []
    if flow.lockbox is not None:
        aside += ["Lockbox, set aside before anything else:", say_count(flow.lockbox, flow.unit)]
    if flow.unused is not None:
        aside += ["In no fold:", say_count(flow.unused, flow.unit)]
    steps = [
        (["Found", found], left_out),
        (["Samples", say_count(flow.samples, flow.unit), _say_labels(flow.samples)], aside),
    ]
    if aside:
        steps.append((["Used", say_count(flow.used, flow.unit), _say_labels(flow.used)], []))
    count = len(flow.folds)
    lines = [f"Each of {count} folds" if count > 1 else "One division"]
    for side, name in SIDE_NAMES.items():
        counts = [fold.sides[side] for fold in flow.folds if side in fold.sides]
        if counts:
            lines.append(f"{name}: {_say_range(counts, flow.unit)}")
    steps.append((lines, []))
    return steps


def say_count(count: FlowCount, unit: str) -> str:
    """Return a count in words, e.g. ``119 regions of 104 patients``."""
    people = "" if count.patients is None else f" of {count.patients:,} patients"
    return f"{count.samples:,} {unit}{people}"


def _say_labels(count: FlowCount) -> str:
    return ", ".join(f"{number:,} {label}" for label, number in count.labels.items())


def _say_range(counts: list[FlowCount], unit: str) -> str:
    def span(values: list[int]) -> str:
        return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"

    people = [count.patients for count in counts if count.patients is not None]
    return f"{span([count.samples for count in counts])} {unit}" + (
        f" of {span(people)} patients" if people else ""
    )


def _wrap(lines: list[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, 52, subsequent_indent="    ")]


def _measure(lines: list[str]) -> float:
    return len(lines) * _LINE + 2 * _PAD if lines else 0.0


def _draw_box(axes: Axes, left: float, top: float, width: float, lines: list[str], colour: str) -> None:
    height = _measure(lines)
    axes.add_patch(
        FancyBboxPatch(
            (left, top - height),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=PAPER,
            edgecolor=colour,
            linewidth=1.2,
        )
    )
    for number, line in enumerate(lines):
        axes.text(
            left + _PAD,
            top - _PAD - (number + 0.5) * _LINE,
            line,
            size=SMALL_SIZE,
            weight="bold" if number == 0 else "normal",
            color=INK,
            ha="left",
            va="center",
        )


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.2})

"""The report's section on who and what was counted, and what so many patients can show."""

from __future__ import annotations

from mammoscan.figures.sample_flow import SIDE_NAMES
from mammoscan.records.flow import FlowCount, SampleFlow
from mammoscan.records.sample_size import SampleSize
from mammoscan.records.section import Section, Table
from mammoscan.reporting.render import say_paragraphs


def build_flow_section(flow: SampleFlow, size: SampleSize) -> Section:
    """Return the flow of patients and images as a diagram and a table, and the sample-size statement."""
    known = flow.used.patients is not None
    labels = tuple(flow.used.labels)

    def count(name: str, counts: FlowCount) -> tuple[str | int | None, ...]:
        people = (counts.patients,) if known else ()
        return (name, *people, counts.samples, *(counts.labels[label] for label in labels))

    rows = [count("all samples", flow.samples)]
    if flow.lockbox is not None:
        rows.append(count("lockbox", flow.lockbox))
    if flow.unused is not None:
        rows.append(count("in no fold", flow.unused))
    for fold in flow.folds:
        rows += [
            count(
                f"fold {fold.fold + 1}, {SIDE_NAMES[side]}" if len(flow.folds) > 1 else SIDE_NAMES[side],
                counts,
            )
            for side, counts in fold.sides.items()
        ]
    people = ("Patients",) if known else ()
    sizes = Table(
        caption=f"Width of the {100 * size.level:.0f} % intervals to be expected, whatever the network",
        columns=("If the true value is", "AUC", "Sensitivity", "Specificity"),
        rows=tuple(
            (f"{auc.value:.1f}", auc.width, sensitivity.width, specificity.width)
            for auc, sensitivity, specificity in zip(
                size.auc, size.sensitivity, size.specificity, strict=True
            )
        ),
    )
    return Section(
        title="Flow and sample size",
        paragraphs=say_paragraphs("flow", flow=flow, size=size, known=known),
        tables=(
            Table(
                caption="Counts on each side, before classes are balanced",
                columns=("", *people, flow.unit.capitalize(), *labels),
                rows=tuple(rows),
            ),
            sizes,
        ),
        figures=("sample_flow",),
    )

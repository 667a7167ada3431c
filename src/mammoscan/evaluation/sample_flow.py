"""Counts patients and images on their way from what was found to the sides of each fold."""

from __future__ import annotations

import pandas as pd

from mammoscan.evaluation.splits import UNUSED, find_lockbox_rows, find_used_rows
from mammoscan.params import Question
from mammoscan.records.dataset import DatasetRecord
from mammoscan.records.flow import FlowCount, FoldFlow, SampleFlow

SIDES = ("train", "validation", "test", "out")


def count_flow(
    record: DatasetRecord,
    rejected: pd.DataFrame,
    samples: pd.DataFrame,
    folds: pd.DataFrame,
    question: Question,
) -> SampleFlow:
    """Count what was found, left out, set aside and used.

    Args:
        record: The data set.
        rejected: One row per file or line that became no sample, with its ``reason``.
        samples: The samples.
        folds: One row per sample and one column per fold.
        question: The labels, and what a sample is called.
    """

    def count(rows: pd.DataFrame) -> FlowCount:
        return FlowCount(
            samples=len(rows),
            patients=int(rows["patient_id"].nunique()) if record.patients_known else None,
            labels={label: int((rows["label"] == label).sum()) for label in question.labels},
        )

    used, locked = find_used_rows(folds), find_lockbox_rows(folds)
    unused = sorted(set(folds["row"]) - set(used) - set(locked))
    names = [name for name in folds.columns if name.startswith("fold_")]
    divided = []
    for number, name in enumerate(names):
        roles = folds[name].where(~folds["row"].isin([*locked, *unused]))
        roles = roles.replace(dict.fromkeys(UNUSED, "out"))
        sides = {
            side: count(samples.iloc[folds.loc[roles == side, "row"]])
            for side in SIDES
            if (roles == side).any()
        }
        divided.append(FoldFlow(fold=number, sides=sides))
    return SampleFlow(
        source_unit=record.unit,
        # Every image file is a sample or is left out; of scans a note can be left out too.
        found=len(samples) + len(rejected) if record.unit == "images" else record.images,
        found_patients=record.patients if record.patients_known else None,
        rejected={str(reason): int(number) for reason, number in rejected["reason"].value_counts().items()},
        unit=question.unit,
        samples=count(samples),
        lockbox=count(samples.iloc[locked]) if len(locked) else None,
        unused=count(samples.iloc[unused]) if unused else None,
        used=count(samples.iloc[used]),
        folds=tuple(divided),
    )

"""The widths to be expected are those that the report's own intervals have."""

import numpy as np
import pandas as pd
import pytest

from mammoscan.evaluation.intervals import measure_auc
from mammoscan.evaluation.predictions import read_scored
from mammoscan.evaluation.sample_size import WANTED, expect_auc_width, find_needed, plan_widths
from mammoscan.params import Question
from mammoscan.records.flow import FlowCount, FoldFlow, SampleFlow
from mammoscan.records.section import Section
from mammoscan.reporting.flow_section import build_flow_section

QUESTION = Question(text="?", labels=("benign", "malignant"), positive="malignant")


def test_the_expected_width_is_the_width_that_simulated_studies_have() -> None:
    rng = np.random.default_rng(3)
    positive = np.arange(100) < 40
    widths, values = [], []
    for _ in range(60):
        score = 1 / (1 + np.exp(-(1.19 * positive + rng.normal(size=100))))
        table = pd.DataFrame(
            {
                "model": "cnn",
                "fold": 0,
                "sample_id": np.arange(100),
                "patient_id": np.arange(100),
                "label": np.where(positive, "malignant", "benign"),
                "p_benign": 1 - score,
                "p_malignant": score,
            }
        )
        measure = measure_auc(read_scored(table, QUESTION), 0.95)
        widths.append(measure["high"] - measure["low"])
        values.append(measure["value"])
    expected = expect_auc_width(float(np.mean(values)), 40, 60, 0.95, 1)
    assert expected == pytest.approx(np.mean(widths), rel=0.1)


def test_more_patients_and_given_networks_have_narrower_intervals() -> None:
    assert expect_auc_width(0.8, 40, 60, 0.95, 1) < expect_auc_width(0.8, 40, 60, 0.95, 5)
    assert expect_auc_width(0.8, 80, 120, 0.95, 5) < expect_auc_width(0.8, 40, 60, 0.95, 5)


def test_the_number_needed_gives_the_width_that_is_wanted() -> None:
    needed = find_needed(40, 60, 0.95, 5)
    assert needed is not None
    sides = (round(needed * 0.4), round(needed * 0.6))
    assert expect_auc_width(0.8, *sides, 0.95, 5) <= WANTED
    assert expect_auc_width(0.8, *(round(side * 0.9) for side in sides), 0.95, 5) > WANTED


def test_a_label_without_patients_has_no_width() -> None:
    size = plan_widths(0, 60, 0.95, 5)
    assert [each.width for each in size.auc] == [None] * 3
    assert size.needed is None


@pytest.mark.parametrize("patients", [100, None])
def test_the_section_tells_the_counts_and_the_widths(patients: int | None) -> None:
    count = FlowCount(samples=119, patients=patients, labels={"benign": 67, "malignant": 52})
    flow = SampleFlow(
        source_unit="scans",
        found=322,
        found_patients=patients and 161,
        rejected={"no place": 3},
        unit="regions",
        samples=count,
        lockbox=count,
        unused=None,
        used=count,
        folds=(FoldFlow(fold=0, sides={"train": count, "test": count}),),
    )
    section: Section = build_flow_section(flow, plan_widths(40, 60, 0.95, 5))
    text = " ".join(section.paragraphs)
    counts = section.tables[0]
    assert ("Patients" in counts.columns) == (patients is not None)
    assert [row[0] for row in counts.rows] == ["all samples", "lockbox", "training", "test"]
    who = "regions" if patients is None else "patients"
    assert f"40 {who} bear the positive label and 60 another" in text
    assert ("Images of one patient are alike" in text) == (patients is None)
    assert all(row[1] is not None for row in section.tables[1].rows)

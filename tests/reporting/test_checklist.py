"""The checklist names every item once, fills in what a run knows, and leaves the rest to the author."""

import re

import pandas as pd
import pytest

from histories import make_epoch, make_history
from mammoscan.evaluation.sample_size import plan_widths
from mammoscan.params import EvaluationParams, Question, Recipe, SplitParams, ViewParams
from mammoscan.records.flow import FlowCount, FoldFlow, SampleFlow
from mammoscan.records.history import Histories
from mammoscan.records.run_info import RunInfo
from mammoscan.reporting.checklist import (
    ITEMS,
    ChecklistFacts,
    build_checklist_section,
    fill_checklist,
    write_checklist,
)
from records import make_dataset_record
from reports import measure

QUESTION = Question(
    text="Is it malignant?", labels=("benign", "malignant"), positive="malignant", unit="regions"
)
NAMES = ("auc", "sensitivity", "specificity")
METRICS = {
    model: {name: measure(0.7) | {"method": "by hand"} for name in NAMES} | {"samples": 119, "patients": 104}
    for model in ("cnn", "texture")
}
COUNT = FlowCount(samples=119, patients=104, labels={"benign": 67, "malignant": 52})
RUN = RunInfo(
    pipeline="mias",
    started=0,
    command=None,
    commit="0123456789abcdef",
    run_id=None,
    versions={"mammoscan": "1.0"},
    python="3.11",
    machine="m",
)


def make_facts(**changes: object) -> ChecklistFacts:
    facts = {
        "record": make_dataset_record(reference_standard="A radiologist.", design="Retrospective."),
        "run_info": RUN,
        "question": QUESTION,
        "evaluation": EvaluationParams(metadata_columns=()),
        "metrics": METRICS,
    }
    return ChecklistFacts(**(facts | changes))


def make_whole(**changes: object) -> ChecklistFacts:
    flow = SampleFlow(
        source_unit="scans",
        found=322,
        found_patients=161,
        rejected={"no coordinates given": 3},
        unit="regions",
        samples=COUNT,
        lockbox=None,
        unused=None,
        used=COUNT,
        folds=(FoldFlow(fold=0, sides={"train": COUNT, "test": COUNT}),),
    )
    known = {
        "training": Recipe(epochs=3),
        "views": ViewParams(),
        "split": SplitParams(folds=5),
        "histories": Histories(folds=[make_history([make_epoch(1)], 1)]),
        "flow": flow,
        "sample_size": plan_widths(52, 67, 0.95, 5),
        "subgroups": pd.DataFrame({"by": ["tissue"]}),
        "trust": {
            "temperature": 1,
            "threshold": 0.3,
            "rule": "sensitivity",
            "out_of_distribution": {"as is": 1},
        },
    }
    return make_facts(**(known | changes))


def answer(facts: ChecklistFacts, claim: str) -> tuple[str, str]:
    item = next(item for item in fill_checklist(facts).items if item.claim == claim)
    return item.answer, item.missing


def test_every_item_of_both_checklists_is_there() -> None:
    assert sorted(int(item[1]) for item in ITEMS if item[1]) == list(range(1, 45))
    tripod = {number for item in ITEMS for number in item[2].split(", ") if number}
    assert {int(re.sub(r"\D", "", number)) for number in tripod} == set(range(1, 28))
    parts = ("3abc", "5ab", "6abc", "8abc", "9ab", "12abcdef", "18abcdef", "20abc", "23ab", "27abc")
    wanted = {f"{part.rstrip('abcdef')}{letter}" for part in parts for letter in part if letter.isalpha()}
    assert wanted <= tripod


def test_an_item_is_filled_or_left_to_the_author() -> None:
    for facts in (make_facts(), make_whole()):
        checklist = fill_checklist(facts)
        assert all(item.answer or item.missing for item in checklist.items)
        for item in checklist.items:
            assert not re.search(r"None\b(?!:|\.)|\bnan\b|\s[.,;:]|  |\{", item.answer), item.answer


def test_a_whole_run_fills_what_a_pipeline_knows() -> None:
    facts = make_whole()
    assert answer(facts, "5") == ("Retrospective.", "")
    assert answer(facts, "14") == ("A radiologist.", "")
    assert "no coordinates given (3)" in answer(facts, "8")[0]
    assert "52 patients labelled malignant and 67 labelled otherwise" in answer(facts, "21")[0]
    assert "322 scans of 161 patients" in answer(facts, "35")[0]
    assert answer(facts, "33") == ("None: all images come from one data set.", "an external test")
    assert "sensitivity 0.70 [0.60, 0.80]" in answer(facts, "38")[0]
    assert fill_checklist(facts).filled >= 38


@pytest.mark.parametrize("claim", ["5", "14", "16", "17"])
def test_what_nobody_said_of_the_data_is_left_to_the_author(claim: str) -> None:
    facts = make_whole(record=make_dataset_record())
    text, missing = answer(facts, claim)
    assert text == ""
    assert missing


def test_a_leaking_division_is_not_called_internal_validation() -> None:
    facts = make_whole(leak_audit={"patient": {"count": 3, "share": 0.2}})
    assert "leaks" in answer(facts, "32")[0]
    assert "patients are on both sides" in answer(facts, "20")[0]


def test_the_list_is_markdown_with_a_box_for_each_item_and_a_folded_section() -> None:
    checklist = fill_checklist(make_whole())
    text = write_checklist(checklist)
    assert len(re.findall(r"^- \[[x ]\] \*\*", text, re.MULTILINE)) == len(ITEMS)
    for item in checklist.items:
        assert item.answer in text
    section = build_checklist_section(checklist)
    assert section.folded
    assert len(section.tables[0].rows) == len(ITEMS)


@pytest.mark.parametrize("protocol", ["patient", "author", "scores", "external"])
@pytest.mark.parametrize("known", [True, False])
def test_every_kind_of_report_has_its_checklist(protocol: str, known: bool) -> None:
    record = make_dataset_record(patients_known=known)
    for facts in (make_facts(protocol=protocol, record=record), make_whole(protocol=protocol, record=record)):
        assert len(write_checklist(fill_checklist(facts))) > 1000

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from mammoscan.data.mias_notes import NOTE_3, clean_notes
from mammoscan.data.mias_regions import LABELS, REGION_TYPES, choose_regions
from mammoscan.errors import MammoscanError
from mammoscan.params import Question

SCANS = [f"mdb{number:03d}.pgm" for number in range(1, 11)]
TEXT = """\
preamble
mdb001 G CIRC B 535 425 197
mdb002 D NORM
mdb003 F CALC M 100 200 30
mdb003 F CALC B 300 400 10
mdb004 D NORM
mdb005 D CALC M *NOTE 3*
mdb006 F CIRC B
mdb007 G SPIC M 5000 10 10
mdb008 G SPIC X 10 10 10
mdb009 G ASYM M 10 10 10
"""
PROTOCOLS = ("patient", "author")


def ask(about: Literal["severity", "abnormality", "severity_or_normal"], *groups: str) -> Question:
    labels = sorted(set(LABELS[about].values()))
    return Question(text="?", about=about, labels=tuple(labels), positive=labels[-1], groups=groups)


def choose(question: Question, protocol: Any, text: str = TEXT) -> tuple[pd.DataFrame, pd.DataFrame]:
    return choose_regions(*clean_notes(text, SCANS), question, protocol)


def test_severity_takes_every_abnormal_row_with_a_usable_place() -> None:
    regions, rejected = choose(ask("severity"), "patient")
    assert regions["region_id"].tolist() == ["mdb001-1", "mdb003-1", "mdb003-2", "mdb009-1"]
    assert regions["label"].tolist() == ["benign", "malignant", "benign", "malignant"]
    assert regions["target"].tolist() == [0, 1, 0, 1]
    reasons = dict(zip(rejected["line"], rejected["reason"], strict=True))
    assert reasons == {
        0: "no row names this scan",
        3: "a normal scan: the question is about abnormalities only",
        6: "a normal scan: the question is about abnormalities only",
        7: NOTE_3,
        8: "no coordinates given",
        9: "coordinates outside the scan (x=5000, y=10, expected 0 to 1023)",
        10: "severity is 'X', expected B or M",
    }


def test_abnormality_takes_normal_scans_too_whose_places_are_drawn_later() -> None:
    regions, _ = choose(ask("abnormality"), "patient")
    normal = regions[regions["label"] == "normal"]
    assert normal["region_id"].tolist() == ["mdb002", "mdb004"]
    assert normal[["x", "y", "radius"]].isna().all(axis=None)
    assert set(regions.loc[regions["label"] == "abnormal", "severity"]) == {"benign", "malignant"}


def test_groups_restrict_the_abnormalities_and_leave_the_normals() -> None:
    regions, rejected = choose(ask("severity_or_normal", "CALC", "ASYM"), "patient")
    assert regions["group"].tolist() == ["NORM", "CALC", "CALC", "NORM", "ASYM"]
    assert "class CIRC: the question is about CALC ASYM only" in set(rejected["reason"])


def test_targets_follow_the_order_of_the_labels() -> None:
    question = Question(text="?", about="severity", labels=("malignant", "benign"), positive="malignant")
    regions, _ = choose(question, "patient")
    assert regions["target"].tolist() == [1, 0, 1, 0]


def test_the_author_takes_the_first_row_of_each_scan_but_note_3() -> None:
    regions, rejected = choose(ask("severity_or_normal"), "author")
    assert regions["region_id"].tolist() == ["mdb001", "mdb002", "mdb003", "mdb004", "mdb006", "mdb009"]
    reasons = dict(zip(rejected["line"], rejected["reason"], strict=True))
    assert reasons[5] == "not the first row of its scan: the article keeps the first only"
    assert reasons[7] == NOTE_3
    assert reasons[9].startswith("coordinates outside the scan")


def test_the_author_crops_a_region_without_coordinates_at_the_centre() -> None:
    regions, _ = choose(ask("severity"), "author")
    row = regions[regions["scan"] == "mdb006"].iloc[0]
    assert (row["x"], row["y"], row["radius"], row["label"]) == (512, 512, 48, "benign")


def test_the_author_cuts_normals_at_seeded_points_that_no_other_row_moves() -> None:
    scans = [f"mdb{number:03d}.pgm" for number in range(1, 401)]
    text = "\n".join(f"mdb{number:03d} D NORM" for number in range(1, 401))
    question = ask("severity_or_normal")
    tables = clean_notes(text, scans)
    first, _ = choose_regions(*tables, question, "author", seed=1)
    again, _ = choose_regions(*tables, question, "author", seed=1)
    other, _ = choose_regions(*tables, question, "author", seed=2)
    fewer, _ = choose_regions(tables[0].iloc[300:], tables[1], question, "author", seed=1)
    pd.testing.assert_frame_equal(first, again)
    assert not first["x"].equals(other["x"])
    assert fewer["x"].tolist() == first["x"].tolist()[300:]
    for axis in ("x", "y"):
        assert set(first[axis]) == set(np.arange(500.0, 513.0))
    assert set(first["radius"]) == {48}
    assert set(first["severity"]) == {"normal"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_table_has_its_types_also_when_nothing_is_chosen(protocol: str) -> None:
    for regions, _ in (
        choose(ask("severity", "ARCH"), protocol),
        choose(ask("severity"), protocol),
    ):
        assert {name: str(kind) for name, kind in regions.dtypes.items()} == REGION_TYPES


def test_a_place_that_went_through_a_csv_file_is_still_usable() -> None:
    notes, malformed = clean_notes(TEXT, SCANS)
    expected, _ = choose_regions(notes, malformed, ask("severity"), "patient")
    through = notes.assign(place=notes["place"].replace("", np.nan))
    found, _ = choose_regions(through, malformed, ask("severity"), "patient")
    pd.testing.assert_frame_equal(found, expected)


def test_labels_that_do_not_fit_the_question_are_refused() -> None:
    question = Question(text="?", about="severity", labels=("benign", "bad"), positive="bad")
    with pytest.raises(MammoscanError, match=r"question\.labels is \['benign', 'bad'\], expected \['benign'"):
        choose(question, "patient")


@pytest.mark.parametrize(("about", "group"), [("severity", "NORM"), ("abnormality", "MASS")])
def test_unknown_classes_are_refused(about: Any, group: str) -> None:
    with pytest.raises(MammoscanError, match=rf"question\.groups holds \['{group}'\]"):
        choose(ask(about, group), "patient")


def corrupt(text: str, rng: np.random.Generator) -> str:
    """Change, drop, double or swap a few characters or lines of the rows."""
    lines = text.splitlines()
    for _ in range(rng.integers(1, 6)):
        line = int(rng.integers(1, len(lines)))
        kind = rng.integers(5)
        if kind == 0:
            lines.insert(int(rng.integers(1, len(lines))), lines[line])
        elif kind == 1:
            words = lines[line].split()
            del words[int(rng.integers(len(words))) if words else 0 :][:1]
            lines[line] = " ".join(words)
        elif kind == 2:
            lines[line] += " " + str(rng.choice(["12", "B", "*NOTE 3*", "NORM", "?", "-4"]))
        elif lines[line]:
            at = int(rng.integers(len(lines[line])))
            letter = str(rng.choice(list("0139 GBMXnd*.\t-é")))
            lines[line] = lines[line][:at] + letter + lines[line][at + (kind == 3) :]
    return "\n".join(lines)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_row_ends_exactly_once_whatever_is_wrong_with_it(protocol: str) -> None:
    rng = np.random.default_rng(5)
    questions = (ask("severity"), ask("abnormality", "CALC"), ask("severity_or_normal"))
    for trial in range(60):
        text = corrupt(TEXT, rng) if trial else TEXT
        lines = text.split("\n")
        begin = next(n for n, line in enumerate(lines) if re.match(r"\s*mdb[0-9]", line, re.IGNORECASE))
        rows = {n + 1: line for n, line in enumerate(lines) if n >= begin and any(c.isalnum() for c in line)}
        regions, rejected = choose(questions[trial % 3], protocol, text)
        told = rejected[rejected["line"] > 0]
        assert sorted([*regions["line"], *told["line"]]) == sorted(rows)
        assert all(rows[line] == content for line, content in zip(told["line"], told["text"], strict=True))
        assert (rejected["reason"].str.len() > 0).all()
        assert regions["region_id"].is_unique


def test_what_mini_mias_cannot_be_asked_about_is_refused():
    clean, malformed = clean_notes(TEXT, SCANS)
    question = Question(text="?", about="label", labels=("a", "b"), positive="a")
    with pytest.raises(
        MammoscanError, match=r"question.about is 'label', expected one of: severity, abnormality"
    ):
        choose_regions(clean, malformed, question, "patient")

from __future__ import annotations

import pandas as pd
import pytest

from mammoscan.data.mias_notes import MALFORMED_TYPES, NOTE_3, NOTE_TYPES, clean_notes
from mammoscan.errors import MammoscanError

SCANS = [f"mdb{number:03d}.pgm" for number in range(1, 7)]
# Every scan but the first has a row, so that what a test adds is all there is to see.
REST = "".join(f"mdb{number:03d} D NORM\n" for number in range(2, 7))


def clean_row(row: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    notes, malformed = clean_notes(f"{row}\n{REST}", SCANS)
    return notes[notes["line"] == 1], malformed


def test_a_row_becomes_its_columns() -> None:
    notes, malformed = clean_row("mdb001 G CIRC B 535 425 197")
    row = notes.iloc[0]
    assert len(malformed) == 0
    assert (row["scan"], row["source"], row["patient_id"]) == ("mdb001", "mdb001.pgm", "p000")
    assert (row["tissue"], row["group"], row["severity"]) == ("G", "CIRC", "benign")
    assert (row["x"], row["y"], row["radius"]) == (535.0, 425.0, 197.0)
    assert (row["note3"], row["first_of_scan"], row["place"]) == (False, True, "")
    assert row["text"] == "mdb001 G CIRC B 535 425 197"


def test_pairs_of_scans_are_patients() -> None:
    notes, _ = clean_notes(REST.replace("mdb006", "mdb322"), [*SCANS, "mdb322.pgm"])
    assert list(notes["patient_id"]) == ["p000", "p001", "p001", "p002", "p160"]


def test_a_normal_row_has_no_place_and_needs_none() -> None:
    notes, malformed = clean_row("mdb001 D NORM")
    row = notes.iloc[0]
    assert len(malformed) == 0
    assert (row["severity"], row["place"]) == ("normal", "")
    assert row[["x", "y", "radius"]].isna().all()


def test_header_preamble_rules_and_blank_lines_are_no_rows_but_count_as_lines() -> None:
    text = f"Host: miasdb\n1st column: mdb number\n=====\n\n \t\nmdb001 D NORM \n\n{REST}\n=====\n"
    notes, malformed = clean_notes(text, SCANS)
    assert len(malformed) == 0
    assert list(notes["line"]) == [6, 8, 9, 10, 11, 12]


def test_a_line_among_the_rows_that_names_no_scan_is_not_dropped_silently() -> None:
    notes, malformed = clean_notes("preamble\nmdb001 D NORM\n G CIRC B 1 2 3\n" + REST, SCANS)
    assert len(notes) == 6
    assert malformed.to_dict("list") == {
        "line": [3],
        "text": [" G CIRC B 1 2 3"],
        "reason": ["starts with 'G', expected a scan such as mdb001"],
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_the_same_lines(end: str) -> None:
    text = f"head\n\nmdb001 G CIRC B 535 425 197\n{REST}"
    expected = clean_notes(text, SCANS)[0]
    pd.testing.assert_frame_equal(clean_notes(text.replace("\n", end), SCANS)[0], expected)


def test_a_latin_1_character_does_not_break_a_line() -> None:
    notes, _ = clean_notes(f"Caf\xe9\x85 \x0b\nmdb001 D NORM\n{REST}", SCANS)
    assert notes["line"].iloc[0] == 2


@pytest.mark.parametrize(
    "row",
    [
        "mdb001\tG\tCIRC\tB\t535\t425\t197",
        "  MDB001  g circ b 535.0 425 +197 ",
        "mdb001.pgm G CIRC B 535 425 197",
    ],
)
def test_tabs_spaces_and_case_do_not_matter(row: str) -> None:
    columns = ["scan", "tissue", "group", "severity", "x", "y", "radius", "place"]
    found, _ = clean_row(row)
    expected, _ = clean_row("mdb001 G CIRC B 535 425 197")
    pd.testing.assert_frame_equal(found[columns], expected[columns])


@pytest.mark.parametrize("mark", ["*NOTE 3*", "*NOTE3*", "*note  3*", "* Note\t3 *"])
def test_note_3_is_understood_and_has_no_place(mark: str) -> None:
    notes, malformed = clean_row(f"mdb001 D CALC M {mark}")
    row = notes.iloc[0]
    assert len(malformed) == 0
    assert (row["note3"], row["place"], row["severity"]) == (True, NOTE_3, "malignant")


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("mdb001 F CIRC B", "no coordinates given"),
        ("mdb001 F CIRC B 1 2 0", "radius 0, expected more than 0 and at most 512"),
        ("mdb001 F CIRC B 1 2 -7", "radius -7, expected more than 0 and at most 512"),
        ("mdb001 F CIRC B 1 2 513", "radius 513, expected more than 0 and at most 512"),
        ("mdb001 F CIRC B 1024 2 5", "coordinates outside the scan (x=1024, y=2, expected 0 to 1023)"),
        ("mdb001 F CIRC B 1 -2 5", "coordinates outside the scan (x=1, y=-2, expected 0 to 1023)"),
        ("mdb001 F CIRC B 0 1023 512", ""),
    ],
)
def test_a_row_without_a_usable_place_is_kept_and_tells_why(row: str, place: str) -> None:
    notes, malformed = clean_row(row)
    assert len(malformed) == 0
    assert notes["place"].tolist() == [place]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("mdb001", "only 1 of its columns, expected at least scan, tissue and class"),
        ("mdb001 G", "only 2 of its columns, expected at least scan, tissue and class"),
        ("mdb001 CIRC B 1 2 3", "tissue is 'CIRC', expected one of F G D"),
        ("mdb001 X CIRC B 1 2 3", "tissue is 'X', expected one of F G D"),
        ("mdb001 G MASS B 1 2 3", "class is 'MASS', expected one of CALC CIRC SPIC MISC ARCH ASYM NORM"),
        ("mdb001 G CIRC X 1 2 3", "severity is 'X', expected B or M"),
        ("mdb001 G CIRC 1 2 3", "severity is '1', expected B or M"),
        ("mdb001 G CIRC", "an abnormality without severity, expected B or M after its class"),
        ("mdb001 G CIRC *NOTE 3*", "an abnormality without severity, expected B or M after its class"),
        ("mdb001 G CIRC B 1 2", "2 columns after the severity, expected x, y and radius, or none of them"),
        (
            "mdb001 G CIRC B 1 2 3 4",
            "4 columns after the severity, expected x, y and radius, or none of them",
        ),
        ("mdb001 G CIRC B 1 2 nan", "radius is 'nan', expected a number"),
        ("mdb001 G CIRC B 1 2 1e2", "radius is '1e2', expected a number"),
        ("mdb001 G CIRC B one 2 3", "x is 'one', expected a number"),
        ("mdb001 G CIRC B 1 2,5 3", "y is '2,5', expected a number"),
        ("mdb001 G CALC B *NOTE 3* 1 2 3", "both NOTE 3 and '1 2 3', expected coordinates or NOTE 3"),
        ("mdb001 G NORM B", "a normal scan with 'B' after its class, expected nothing there"),
        ("mdb001 G NORM 1 2 3", "a normal scan with '1 2 3' after its class, expected nothing there"),
        ("mdb001 G NORM *NOTE 3*", "a normal scan with 'NOTE 3' after its class, expected nothing there"),
    ],
)
def test_a_row_that_cannot_be_understood_tells_why(row: str, reason: str) -> None:
    notes, malformed = clean_row(row)
    assert len(notes) == 0
    assert malformed.to_dict("list") == {"line": [1], "text": [row], "reason": [reason]}


@pytest.mark.parametrize("row", ["mdb001x G NORM", "mdb000 G NORM", "mdb12345678901 G NORM"])
def test_a_row_that_names_no_possible_scan_is_malformed(row: str) -> None:
    _, malformed = clean_notes(f"{row}\n{REST}", SCANS[1:])
    assert malformed["reason"].tolist() == [f"starts with '{row.split()[0]}', expected a scan such as mdb001"]


def test_a_row_without_a_scan_is_malformed() -> None:
    notes, malformed = clean_notes(REST + "mdb007 D NORM\n", SCANS[1:])
    assert len(notes) == 5
    assert malformed["reason"].tolist() == ["no scan mdb007.pgm is there"]


def test_a_scan_without_a_row_is_named_with_line_0() -> None:
    notes, malformed = clean_notes(REST, SCANS)
    assert len(notes) == 5
    assert malformed.to_dict("list") == {
        "line": [0],
        "text": ["mdb001.pgm"],
        "reason": ["no row names this scan"],
    }


def test_a_scans_own_file_name_is_kept() -> None:
    notes, _ = clean_notes("mdb001 D NORM", ["MDB001.PGM"])
    assert notes["source"].tolist() == ["MDB001.PGM"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("mdb001 G CIRC B 1 2 3", "MDB001 G  CIRC\tB 1 2 3.0"),
        ("mdb001 D NORM", "mdb001 D NORM"),
        ("mdb001 D CALC M *NOTE 3*", "mdb001 D CALC M *NOTE3*"),
    ],
)
def test_the_second_of_two_equal_rows_is_malformed(first: str, second: str) -> None:
    notes, malformed = clean_notes(f"{first}\n{second}\n{REST}", SCANS)
    assert notes["line"].tolist() == [1, 3, 4, 5, 6, 7]
    assert malformed["line"].tolist() == [2]
    assert malformed["reason"].tolist() == ["repeats line 1"]


def test_several_rows_of_one_scan_are_kept_and_the_first_is_marked() -> None:
    text = "mdb001 G MISC B 1 2 3\nmdb001 G MISC M 1 2 3\nmdb001 G MISC M 9 2 3\n"
    notes, malformed = clean_notes(text + REST, SCANS)
    assert len(malformed) == 0
    assert notes["first_of_scan"].tolist() == [True, False, False] + [True] * 5


def test_a_scan_noted_both_normal_and_abnormal_gives_no_row() -> None:
    notes, malformed = clean_notes(f"mdb001 D NORM\nmdb001 D CIRC B 1 2 3\n{REST}", SCANS)
    assert "mdb001" not in set(notes["scan"])
    assert malformed["line"].tolist() == [1, 2]
    assert malformed["reason"].str.contains("normal and as abnormal").all()


@pytest.mark.parametrize("text", ["", "only\na preamble\n", "mdb\n"])
def test_notes_without_any_row_are_an_error(text: str) -> None:
    with pytest.raises(MammoscanError, match=r"Info\.txt holds no row"):
        clean_notes(text, SCANS)


@pytest.mark.parametrize("text", ["mdb001 D NORM", "mdb001 X NORM"])
def test_the_tables_have_their_types_also_when_they_are_empty(text: str) -> None:
    notes, malformed = clean_notes(text, ["mdb001.pgm"])
    assert {name: str(kind) for name, kind in notes.dtypes.items()} == NOTE_TYPES
    assert {name: str(kind) for name, kind in malformed.dtypes.items()} == MALFORMED_TYPES

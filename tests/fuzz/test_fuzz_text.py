"""Notes, tables and parameters of any text: every row ends somewhere, every error is one line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mammoscan.data.mias_notes import clean_notes
from mammoscan.data.tables import index_table
from mammoscan.errors import MammoscanError
from mammoscan.params import ImagesParams, PredictParams, Recipe, ScanGridParams, SplitParams, ViewParams
from mammoscan.safe_text import defuse_formula, make_printable

SCANS = [f"mdb{number:03}.pgm" for number in range(1, 6)]
FEW = settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.sampled_from(
    ["mdb001", "MDB002", "mdb9", "G", "F", "CIRC", "NORM", "B", "M", "*NOTE 3*", "512", "-1", "1e9"]
)
LINES = st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=9).map(" ".join)


def check_line(error: MammoscanError) -> None:
    assert "\n" not in error.message


@FEW
@given(st.lists(LINES, max_size=12))
def test_every_row_of_the_notes_ends_in_one_table(lines: list[str]) -> None:
    try:
        notes, malformed = clean_notes("\n".join(lines), SCANS)
    except MammoscanError as error:
        check_line(error)
        return
    taken = list(notes["line"]) + list(malformed.loc[malformed["line"] > 0, "line"])
    assert len(taken) == len(set(taken))
    assert set(notes["source"]) <= set(SCANS)


@FEW
@given(
    st.lists(
        st.tuples(st.sampled_from(["a.png", "b/c.png", "gone.png", ""]), st.text(max_size=8)), max_size=8
    ),
    st.text(max_size=30),
)
def test_every_row_of_a_table_is_an_image_or_has_a_reason(rows: list[tuple[str, str]], junk: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "b").mkdir()
        for file in ("a.png", "b/c.png"):
            (folder / file).touch()
        lines = ["path,label", *(f"{path},{label}" for path, label in rows), junk]
        (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
        try:
            images, rejected = index_table(folder, "labels.csv")
        except MammoscanError as error:
            check_line(error)
            return
        assert set(images["source"]) <= {"a.png", "b/c.png"}
        assert images["source"].is_unique
        assert rejected["reason"].str.len().gt(0).all()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "block", [ImagesParams, PredictParams, Recipe, ScanGridParams, SplitParams, ViewParams]
)
@FEW
@given(data=st.data())
def test_a_parameter_block_takes_a_value_or_says_which_is_wrong(block: Any, data: st.DataObject) -> None:
    names = st.sampled_from(list(block.model_fields)) | st.text(max_size=8)
    given_values = data.draw(st.dictionaries(names, VALUES, max_size=4))
    try:
        made = block(**given_values)
    except ValidationError as error:
        error.errors()
    except MammoscanError as error:
        check_line(error)
    else:
        assert block(**made.model_dump()) == made


@FEW
@given(st.text(max_size=50))
def test_any_text_becomes_one_printable_harmless_line(text: str) -> None:
    shown = make_printable(text)
    shown.encode("utf-8")
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1
    assert make_printable(shown) == shown
    assert not defuse_formula(shown).startswith(("=", "+", "-", "@"))

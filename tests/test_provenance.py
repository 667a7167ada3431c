"""Notes beside files: what they were made with, and how a later run weighs that."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from kedro.pipeline import Node, Pipeline

from mammoscan import provenance
from mammoscan.errors import MammoscanError
from mammoscan.provenance import (
    check_ages,
    check_note,
    list_differences,
    note_path,
    read_note,
    trace_entries,
    trace_parameters,
    write_note,
)

MADE_WITH = {"params:mias.crop": {"kind": "window", "size": 48}}


def double(*values: int) -> int:
    return 2 * sum(values)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(
        [
            Node(double, "params:source", "raw", name="open_raw"),
            Node(double, ["raw", "params:crop"], "pixels", name="cut_pixels"),
            Node(double, ["pixels", "params:train"], "model", name="train_model"),
        ]
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pixels.npy"


def make(file: Path, made_with: dict[str, object] = MADE_WITH) -> None:
    write_note(file, made_with)
    file.write_text("pixels")


class TestTraces:
    def test_an_entry_answers_for_all_parameters_upstream_but_those_of_the_machine(
        self, pipeline: Pipeline
    ) -> None:
        assert trace_parameters(pipeline) == {
            "raw": {"params:source"},
            "pixels": {"params:source", "params:crop"},
            "model": {"params:source", "params:crop"},
        }

    def test_an_entry_is_made_from_all_entries_upstream(self, pipeline: Pipeline) -> None:
        assert trace_entries(pipeline)["model"] == {
            "raw",
            "pixels",
            "params:source",
            "params:crop",
            "params:train",
        }


class TestNotes:
    def test_a_file_made_with_the_same_parameters_passes(self, file: Path) -> None:
        make(file)
        check_note("mias.pixels", file, MADE_WITH)

    def test_the_differing_key_is_named_with_both_values(self, file: Path) -> None:
        make(file)
        asked = {"params:mias.crop": {"kind": "window", "size": 64}}
        with pytest.raises(
            MammoscanError,
            match=r"mias.pixels was made with mias.crop.size=48, this run asks for mias.crop.size=64; run the whole",
        ):
            check_note("mias.pixels", file, asked)

    def test_further_differences_are_counted(self, file: Path) -> None:
        make(file)
        with pytest.raises(MammoscanError, match=r"kind=radius \(and 1 more\)"):
            check_note("mias.pixels", file, {"params:mias.crop": {"kind": "radius", "size": 64}})

    def test_a_file_without_a_note_is_refused(self, file: Path) -> None:
        file.write_text("from elsewhere")
        with pytest.raises(MammoscanError, match=r"mias.pixels: nothing says what pixels.npy was made with"):
            check_note("mias.pixels", file, MADE_WITH)

    def test_tuples_and_paths_compare_as_what_json_keeps_of_them(self, file: Path) -> None:
        make(file, {"params:groups": ("CALC",)})
        check_note("x", file, {"params:groups": ("CALC",)})

    def test_a_run_that_died_before_it_wrote_leaves_the_file_answering_to_its_own_note(
        self, file: Path
    ) -> None:
        make(file)
        os.utime(file, (time.time() - 100, time.time() - 100))
        notes = json.loads(note_path(file).read_text())
        note_path(file).write_text(json.dumps([notes[0] | {"since": time.time() - 200}]))
        for size in (64, 96):
            write_note(file, {"params:mias.crop": {"kind": "window", "size": size}})
        check_note("mias.pixels", file, MADE_WITH)

    def test_only_the_present_files_note_and_the_announced_one_are_kept(self, file: Path) -> None:
        for _ in range(4):
            make(file)
        assert len(json.loads(note_path(file).read_text())) <= 2

    def test_a_file_older_than_every_note_answers_to_none(self, file: Path) -> None:
        make(file)
        os.utime(file, (0, 0))
        assert read_note(file) is None

    def test_a_note_is_written_whole_or_not_at_all(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(file)
        before = note_path(file).read_text()

        def write_half(path: Path, text: str, encoding: str) -> int:
            with path.open("w") as stream:
                stream.write(text[:5])
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "write_text", write_half)
        with pytest.raises(KeyboardInterrupt):
            write_note(file, MADE_WITH)
        monkeypatch.undo()
        assert note_path(file).read_text() == before

    def test_a_key_on_one_side_only_is_a_difference(self) -> None:
        assert list_differences({"params:a": {"b": 1}}, {"params:a": {"b": 1, "c": 2}}) == [("a.c", None, 2)]


class TestAges:
    def test_a_file_older_than_its_source_is_refused(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        old.write_text("")
        new.write_text("")
        os.utime(old, (1000, 1000))
        with pytest.raises(
            MammoscanError, match=r"mias.pixels is older than mias.raw, from which it is made"
        ):
            check_ages("mias.pixels", old, [("mias.raw", new)])
        check_ages("mias.pixels", new, [("mias.raw", old), ("mias.gone", tmp_path / "gone")])

    def test_a_tick_of_the_clock_is_no_age(self, tmp_path: Path) -> None:
        made, source = tmp_path / "made", tmp_path / "source"
        made.write_text("")
        source.write_text("")
        os.utime(made, (1000, 1000))
        os.utime(source, (1000, 1000 + provenance.CLOCK_SLACK_S / 2))
        check_ages("made", made, [("source", source)])

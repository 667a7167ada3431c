"""The provenance hooks around a small pipeline of real files."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from pydantic import BaseModel

from mammoscan.errors import MammoscanError
from mammoscan.hooks import ProvenanceHooks, provenance_notes
from mammoscan.hooks.provenance_notes import check_together, find_file, find_registered
from mammoscan.provenance import CLOCK_SLACK_S, note_path


class Crop(BaseModel):
    size: int


def copy(data: dict[str, Any]) -> dict[str, Any]:
    return data


def make_raw(source: str) -> dict[str, Any]:
    return {"source": source}


def cut(raw: dict[str, Any], crop: Crop) -> dict[str, Any]:
    return {**raw, "size": crop.size}


WHOLE = Pipeline(
    [
        Node(make_raw, "params:source", "raw", name="make_raw"),
        Node(cut, ["raw", "params:crop"], "pixels", name="cut_pixels"),
        Node(copy, "pixels", "report", name="write_report"),
    ]
)
RUN = {"pipeline_names": ["small"]}


def make_catalog(folder: Path, size: int = 48, source: str = "phantom") -> DataCatalog:
    entries = {
        name: {"type": "mammoscan.datasets.JSONDataset", "filepath": f"{folder}/{name}.json"}
        for name in ("raw", "pixels", "report")
    }
    catalog = DataCatalog.from_config(entries)
    catalog["params:source"], catalog["params:crop"] = source, Crop(size=size)
    return catalog


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a part of the pipeline as Kedro would: hook, then nodes."""
    monkeypatch.setattr(provenance_notes, "pipelines", {"small": WHOLE})

    def start(part: Pipeline = WHOLE, **parameters: Any) -> None:
        catalog = make_catalog(tmp_path, **parameters)
        ProvenanceHooks().before_pipeline_run(run_params=RUN, pipeline=part, catalog=catalog)
        SequentialRunner().run(part, catalog)

    return start


class TestRuns:
    def test_a_part_goes_on_from_files_of_the_same_parameters(
        self, run: Callable[..., None], tmp_path: Path
    ) -> None:
        run()
        run(WHOLE.from_nodes("write_report"))
        assert json.loads((tmp_path / "report.json").read_text()) == {"source": "phantom", "size": 48}

    def test_every_written_file_answers_for_the_parameters_upstream(
        self, run: Callable[..., None], tmp_path: Path
    ) -> None:
        run()
        notes = json.loads(note_path(tmp_path / "report.json").read_text())
        assert notes[-1]["made_with"] == {"params:crop": {"size": 48}, "params:source": "phantom"}

    def test_a_part_refuses_files_of_another_parameter(self, run: Callable[..., None]) -> None:
        run()
        with pytest.raises(
            MammoscanError, match=r"pixels was made with crop.size=48, this run asks for crop.size=64"
        ):
            run(WHOLE.from_nodes("write_report"), size=64)

    def test_a_refusal_names_every_node_to_start_from(self, run: Callable[..., None], tmp_path: Path) -> None:
        run()
        part = WHOLE.from_nodes("write_report")
        with pytest.raises(MammoscanError, match=r"; run the whole pipeline, or .* --from-nodes cut_pixels$"):
            run(part, size=64)
        run(WHOLE.from_nodes("cut_pixels"), size=64)
        with pytest.raises(MammoscanError, match=r"--from-nodes make_raw$"):
            run(part, source="/real")
        (tmp_path / "raw.json").unlink()
        with pytest.raises(MammoscanError, match=r"--from-nodes make_raw$"):
            run(part, size=48)

    def test_nodes_side_by_side_are_all_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folds = [Node(cut, ["raw", "params:crop"], name, name=f"cut_{name}") for name in ("pixels", "report")]
        last = Node(lambda *found: {"found": found}, ["pixels", "report"], "page", name="write_page")
        whole = Pipeline([WHOLE.nodes[0], *folds, last])
        monkeypatch.setattr(provenance_notes, "pipelines", {"small": whole})
        catalog = make_catalog(tmp_path)
        ProvenanceHooks().before_pipeline_run(run_params=RUN, pipeline=whole, catalog=catalog)
        SequentialRunner().run(whole, catalog)
        with pytest.raises(MammoscanError, match=r"--from-nodes cut_pixels,cut_report$"):
            ProvenanceHooks().before_pipeline_run(
                run_params=RUN, pipeline=whole.from_nodes("write_page"), catalog=make_catalog(tmp_path, 64)
            )

    def test_phantom_and_real_never_mix(self, run: Callable[..., None]) -> None:
        run()
        with pytest.raises(
            MammoscanError, match=r"raw was made with source=phantom, this run asks for source=/real"
        ):
            run(WHOLE.from_nodes("cut_pixels"), source="/real")

    def test_a_refused_run_changes_nothing(self, run: Callable[..., None], tmp_path: Path) -> None:
        run()
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(MammoscanError):
            run(WHOLE.from_nodes("write_report"), size=64)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_a_part_refuses_files_that_are_older_than_what_they_are_made_from(
        self, run: Callable[..., None], tmp_path: Path
    ) -> None:
        run()
        later = (tmp_path / "pixels.json").stat().st_mtime + 5
        os.utime(tmp_path / "raw.json", (later, later))
        with pytest.raises(MammoscanError, match=r"pixels is older than raw"):
            run(WHOLE.from_nodes("write_report"))

    def test_a_run_that_dies_keeps_the_files_that_it_did_not_reach(
        self, run: Callable[..., None], tmp_path: Path
    ) -> None:
        run()
        time.sleep(2 * CLOCK_SLACK_S)
        catalog = make_catalog(tmp_path, size=64)
        ProvenanceHooks().before_pipeline_run(run_params=RUN, pipeline=WHOLE, catalog=catalog)
        run(WHOLE.from_nodes("write_report"))

    def test_a_file_from_elsewhere_is_refused(self, run: Callable[..., None], tmp_path: Path) -> None:
        (tmp_path / "pixels.json").write_text("{}")
        with pytest.raises(MammoscanError, match=r"pixels: nothing says what pixels.json was made with"):
            run(WHOLE.from_nodes("write_report"))

    def test_a_missing_file_is_left_for_kedro_to_name(self, run: Callable[..., None]) -> None:
        with pytest.raises(Exception, match=r"pixels.json"):
            run(WHOLE.from_nodes("write_report"))


class TestTogether:
    def test_files_of_one_run_belong_together(self, run: Callable[..., None], tmp_path: Path) -> None:
        run()
        check_together(WHOLE, make_catalog(tmp_path, size=64))  # whatever the files of parameters say now
        (tmp_path / "report.json").unlink()
        check_together(WHOLE, make_catalog(tmp_path))

    def test_files_of_two_runs_are_refused(self, run: Callable[..., None], tmp_path: Path) -> None:
        run()
        run(WHOLE.only_nodes("cut_pixels"), size=64)
        with pytest.raises(
            MammoscanError,
            match=r"^pixels was made with crop.size=64, but report with crop.size=48: these files are of two runs",
        ):
            check_together(WHOLE, make_catalog(tmp_path))


class TestFinding:
    def test_only_what_is_a_file_has_one(self, tmp_path: Path) -> None:
        catalog = make_catalog(tmp_path)
        assert find_file(catalog, "raw") == tmp_path / "raw.json"
        assert find_file(catalog, "params:source") is None
        assert find_file(catalog, "unknown") is None

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        catalog = DataCatalog.from_config(
            {"x": {"type": "mammoscan.datasets.FolderDataset", "filepath": str(tmp_path / "x")}}
        )
        assert find_file(catalog, "x") is None

    def test_a_file_behind_a_pattern_is_found(self, tmp_path: Path) -> None:
        catalog = DataCatalog.from_config(
            {"{a}.raw": {"type": "mammoscan.datasets.JSONDataset", "filepath": f"{tmp_path}/{{a}}.json"}}
        )
        assert find_file(catalog, "mias.raw") == tmp_path / "mias.json"

    @pytest.mark.parametrize(
        ("run_params", "size"),
        [
            ({"pipeline_names": ["small"]}, 3),
            ({"pipeline_names": None}, 1),
            ({"pipeline_names": ["small", "__default__"]}, 4),
        ],
    )
    def test_the_whole_of_the_named_pipelines_is_looked_at(
        self, monkeypatch: pytest.MonkeyPatch, run_params: dict[str, Any], size: int
    ) -> None:
        other = Pipeline([Node(copy, "report", "page", name="write_page")])
        monkeypatch.setattr(provenance_notes, "pipelines", {"small": WHOLE, "__default__": other})
        assert len(find_registered(run_params).nodes) == size

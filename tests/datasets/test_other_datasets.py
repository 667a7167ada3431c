from __future__ import annotations

import base64
import importlib.metadata
import io
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure
from PIL import Image

from mammoscan.atomic_write import write_whole
from mammoscan.datasets import FigureDataset, FolderDataset, RunInfoDataset
from mammoscan.datasets.run_info import PACKAGES, read_command, read_commit


def draw(title: str = "a") -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.suptitle(title)
    return figure


class TestFigure:
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> FigureDataset:
        return FigureDataset(filepath=str(tmp_path / "08_reporting" / "roc.png"), dpi=50)

    def test_a_saved_figure_is_loaded_as_the_bytes_of_a_png(self, dataset: FigureDataset) -> None:
        dataset.save(draw())
        image = Image.open(io.BytesIO(dataset.load()))
        assert (image.format, image.size) == ("PNG", (100, 50))

    def test_the_same_figure_is_the_same_bytes_and_names_no_software(self, dataset: FigureDataset) -> None:
        dataset.save(draw())
        first = dataset.load()
        dataset.save(draw())
        assert dataset.load() == first
        assert "Software" not in Image.open(io.BytesIO(first)).info

    def test_the_preview_is_the_figure(self, dataset: FigureDataset) -> None:
        dataset.save(draw())
        assert base64.b64decode(dataset.preview()) == dataset.load()

    def test_it_exists_once_it_was_saved(self, dataset: FigureDataset) -> None:
        assert not dataset.exists()
        dataset.save(draw())
        assert dataset.exists()


class TestFolder:
    def test_it_is_a_path_that_is_there_for_a_node_to_fill(self, tmp_path: Path) -> None:
        dataset = FolderDataset(filepath=str(tmp_path / "checkpoints"))
        assert dataset.load() == tmp_path / "checkpoints"
        assert dataset.exists()
        assert not (tmp_path / "checkpoints").exists()

    def test_nothing_can_be_saved_as_it(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="a folder to work in"):
            FolderDataset(filepath=str(tmp_path)).save(tmp_path)


class TestRunInfo:
    def test_it_tells_what_a_report_says_of_the_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MAMMOSCAN_PIPELINE", "mias_author")
        monkeypatch.setenv("MAMMOSCAN_STARTED", "12.5")
        monkeypatch.setenv("MAMMOSCAN_MLFLOW_RUN_ID", "abc")
        info = RunInfoDataset(project=str(tmp_path)).load()
        assert (info.pipeline, info.started, info.run_id) == ("mias_author", 12.5, "abc")
        assert info.versions == {name: importlib.metadata.version(name) for name in PACKAGES}
        assert "processors" in info.machine

    def test_it_is_never_written(self, tmp_path: Path) -> None:
        dataset = RunInfoDataset(project=str(tmp_path))
        with pytest.raises(DatasetError, match="never written"):
            dataset.save(dataset.load())

    @pytest.mark.parametrize(
        ("argv", "command"),
        [
            (["/venv/bin/kedro", "run", "--params", "a=b c"], "kedro run --params 'a=b c'"),
            (["python -m kedro", "run"], "kedro run"),
            (["/lib/ipykernel_launcher.py", "-f", "x"], None),
        ],
    )
    def test_the_command_is_the_one_that_was_typed(
        self, monkeypatch: pytest.MonkeyPatch, argv: list[str], command: str | None
    ) -> None:
        monkeypatch.setattr(sys, "argv", argv)
        assert read_command() == command

    def test_the_commit_says_whether_files_differ_from_it(self, tmp_path: Path) -> None:
        assert read_commit(tmp_path) is None
        settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]

        def git(*words: str) -> str:
            return subprocess.run(
                ["git", *settings, *words], cwd=tmp_path, check=True, capture_output=True, text=True
            ).stdout.strip()

        git("init", "-q")
        (tmp_path / "a").write_text("1")
        git("add", "a")
        git("commit", "-qm", "one")
        commit = git("rev-parse", "HEAD")
        (tmp_path / "untracked").write_text("")
        assert read_commit(tmp_path) == commit
        (tmp_path / "a").write_text("2")
        assert read_commit(tmp_path) == f"{commit}-dirty"


class TestWholeFiles:
    def test_the_temporary_name_keeps_the_suffix_and_leaves_nothing(self, tmp_path: Path) -> None:
        with write_whole(tmp_path / "deep" / "model.keras") as part:
            assert part.suffix == ".keras"
            part.write_text("whole")
            assert not (tmp_path / "deep" / "model.keras").exists()
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.keras"]

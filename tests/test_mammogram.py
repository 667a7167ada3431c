"""One scan in a notebook: its notes, its circles, its twelve images."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Circle

from mammoscan.data.mias import read_scan
from mammoscan.errors import MammoscanError
from mammoscan.figures.style import PHANTOM_STAMP
from mammoscan.mammogram import MammoScan
from mammoscan.params import PhantomParams
from mammoscan.pipelines.mias.nodes import clean_notes, open_source
from mammoscan.records.dataset import DatasetRecord


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> DatasetRecord:
    return open_source(
        "phantom", PhantomParams(patients=8, workers=1), False, 2.0, tmp_path_factory.mktemp("raw")
    )


@pytest.fixture(scope="module")
def notes(record: DatasetRecord) -> pd.DataFrame:
    return clean_notes(record)[0]


@pytest.fixture(scope="module")
def marked(record: DatasetRecord, notes: pd.DataFrame) -> MammoScan:
    return MammoScan.open(record, notes, notes[notes["radius"].notna()]["scan"].iloc[0])


def test_it_holds_the_scan_and_its_rows(marked: MammoScan, record: DatasetRecord) -> None:
    np.testing.assert_array_equal(marked.pixels, read_scan(record, f"{marked.name}.pgm"))
    assert set(marked.notes["scan"]) == {marked.name}


def test_the_plot_has_a_circle_where_the_notes_say(marked: MammoScan) -> None:
    figure = marked.plot()
    [axes] = figure.axes
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    row = marked.notes.dropna(subset=["radius"]).iloc[0]
    assert circles[0].center == (row["x"], 1024 - row["y"])
    assert circles[0].radius == row["radius"]
    texts = [text.get_text() for text in figure.texts]
    assert PHANTOM_STAMP in texts
    assert any(marked.name in text for text in texts)


def test_the_transformations_are_the_articles(marked: MammoScan) -> None:
    views = marked.transformations()
    assert list(views)[:3] == ["0_rotated", "0_mirr_lr", "0_mirr_tp"]
    assert len(views) == 12
    assert len({image.tobytes() for image in views.values()}) == 8
    np.testing.assert_array_equal(views["0_rotated"], marked.cut())
    assert marked.cut(30).shape == (30, 30)
    assert len(marked.plot_transformations().axes) == 12


def test_a_normal_scan_is_cut_near_its_centre(record: DatasetRecord, notes: pd.DataFrame) -> None:
    scan = MammoScan.open(record, notes, notes[notes["group"] == "NORM"]["scan"].iloc[0])
    assert scan.cut().shape == (48, 48)
    assert not scan.plot().axes[0].patches


def test_an_unknown_scan_is_one_line(record: DatasetRecord, notes: pd.DataFrame) -> None:
    with pytest.raises(MammoscanError, match="scan 'mdb999' is not in the notes, expected one of mdb001 to"):
        MammoScan.open(record, notes, "mdb999")

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams
from mammoscan.phantoms import mias
from mammoscan.phantoms.mias import LICENCE, write_notes, write_phantom
from mammoscan.phantoms.mias_plan import plan_scans
from mammoscan.phantoms.mias_scan import draw_scan

ALONE = PhantomParams(patients=8, seed=7, workers=1)


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, ALONE)
    return folder


def test_files_are_those_of_the_published_set(written):
    scans = {f"mdb{number:03d}.pgm" for number in range(1, 17)}
    assert set(read_folder(written)) == scans | {"Info.txt", "Licence.txt", mias.MARKER}


def test_a_scan_has_the_published_header_and_size(written):
    content = (written / "mdb001.pgm").read_bytes()
    assert content.startswith(b"P5\n1024 1024\n255\n")
    assert len(content) == 17 + 1024 * 1024


def test_bytes_do_not_depend_on_the_number_of_workers(written, tmp_path):
    write_phantom(tmp_path, PhantomParams(patients=8, seed=7, workers=2))
    assert read_folder(tmp_path) == read_folder(written)


def test_another_seed_draws_other_scans():
    assert not np.array_equal(draw_scan(plan_scans(8, 7)[0], 7), draw_scan(plan_scans(8, 8)[0], 8))


def test_an_interrupted_phantom_is_completed_and_keeps_what_is_there(written, tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom(tmp_path, ALONE, stop)
    assert not (tmp_path / "Info.txt").exists()
    before = (tmp_path / "mdb001.pgm").stat().st_mtime_ns
    (tmp_path / "mdb002.pgm").write_bytes(b"P5\n")
    (tmp_path / ".mdb004.pgm.1.part").write_bytes(b"half")
    seen: list[tuple[int, int]] = []
    write_phantom(tmp_path, ALONE, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 16) for done in range(2, 17)]
    assert (tmp_path / "mdb001.pgm").stat().st_mtime_ns == before
    assert read_folder(tmp_path) == read_folder(written)


def test_an_interruption_among_workers_leaves_no_broken_scan(tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom(tmp_path, PhantomParams(patients=8, seed=7, workers=2), stop)
    assert {path.stat().st_size for path in tmp_path.glob("mdb*.pgm")} == {17 + 1024 * 1024}
    assert not (tmp_path / "Info.txt").exists()


def test_another_phantom_replaces_the_one_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(mias, "draw_scan", lambda plan, seed: np.full((1024, 1024), seed, dtype=np.uint8))
    write_phantom(tmp_path, PhantomParams(patients=9, seed=1, workers=1))
    write_phantom(tmp_path, PhantomParams(patients=8, seed=2, workers=1))
    assert len(list(tmp_path.glob("mdb*.pgm"))) == 16
    assert (tmp_path / "mdb001.pgm").read_bytes()[17] == 2


def test_a_folder_of_real_scans_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mdb001.pgm").write_bytes(b"real")
    with pytest.raises(MammoscanError, match=r"mdb001\.pgm.*folder of its own"):
        write_phantom(tmp_path, ALONE)
    assert read_folder(tmp_path) == {"mdb001.pgm": b"real"}


ROW = re.compile(r"mdb\d{3,} [FGD] (NORM |(CALC|CIRC|SPIC|MISC|ARCH|ASYM) [BM]( \d+ \d+ \d+| \*NOTE 3\* ?)?)")


def test_every_row_has_the_published_grammar():
    text = write_notes(plan_scans(161, 7), 7)
    rows = [line for line in text.splitlines() if line.startswith("mdb")]
    assert len(rows) == 330
    assert all(ROW.fullmatch(row) for row in rows)
    endings = Counter(
        "spread" if "*NOTE 3*" in r else "norm" if "NORM" in r else len(r.split()) for r in rows
    )
    assert endings == {"norm": 207, 7: 119, 4: 1, "spread": 3}
    assert text.isascii()
    assert "\r" not in text


def test_blanks_end_rows_as_in_the_published_file():
    rows = [line for line in write_notes(plan_scans(161, 7), 7).splitlines() if line.startswith("mdb")]
    spread = [row for row in rows if "NOTE" in row]
    assert [row.endswith(" ") for row in spread] == [True, False, False]
    assert all(row.endswith("NORM ") for row in rows if "NORM" in row)
    assert not any(row.endswith(" ") for row in rows if "NORM" not in row and "NOTE" not in row)


def test_coordinates_count_from_the_bottom_left():
    scans = plan_scans(12, 7)
    scan = next(s for s in scans if len(s.regions) == 1 and s.regions[0].state == "placed")
    row = next(line for line in write_notes(scans, 7).splitlines() if line.startswith(scan.name))
    region = scan.regions[0]
    assert row.split()[4:] == [str(region.column), str(1024 - region.row), str(region.radius)]


def test_rows_stand_between_rules_and_the_text_says_synthetic():
    text = write_notes(plan_scans(8, 7), 7)
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("mdb"))
    assert "=" * 65 in lines[:first]
    assert lines[-2:] == ["", "=" * 65]
    assert "SYNTHETIC" in text
    assert "synthetic" in LICENCE

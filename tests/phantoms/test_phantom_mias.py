from pathlib import Path

import numpy as np
import pytest

from mammoscan.errors import MammoscanError
from mammoscan.params import PhantomParams
from mammoscan.phantoms import mias
from mammoscan.phantoms.mias import write_phantom
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

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_folders import index_tiny, write_image, write_tiny_set
from PIL import Image

from mammoscan.data import packing
from mammoscan.data.checksums import fingerprint_checksums, hash_tree
from mammoscan.data.image_folder import list_files
from mammoscan.data.packing import PackedWriter, pack_images
from mammoscan.errors import MammoscanError
from mammoscan.imaging.image_reader import EXPECTED
from mammoscan.params import PackParams
from records import make_dataset_record

PARAMS = PackParams(size=20, channels=1, workers=2)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_tiny_set(tmp_path / "set")
    return tmp_path / "set"


def open_home(home: Path) -> tuple[dict, pd.DataFrame]:
    fingerprint = fingerprint_checksums(hash_tree(home, list_files(home)))
    record = make_dataset_record(folder=str(home), fingerprint=fingerprint)
    return record, index_tiny(home)[0]


def pack_home(home: Path, params: PackParams = PARAMS, **more) -> packing.Pack:
    return pack_images(*open_home(home), params, home.parent / "packs", **more)


def read_pixels(source: str, home: Path) -> np.ndarray:
    return np.asarray(Image.open(home / source))


def test_every_image_is_packed_in_the_order_of_the_table(home: Path) -> None:
    told: list[tuple[int, int]] = []
    pack = pack_home(home, progress=lambda done, total: told.append((done, total)))
    pixels = np.load(pack.pixels, mmap_mode="r")
    assert (pixels.shape, pixels.dtype) == ((12, 20, 20, 1), np.uint8)
    for source, image in zip(pack.samples["source"], pixels, strict=True):
        np.testing.assert_array_equal(image[..., 0], read_pixels(source, home))
    assert told[-1] == (12, 12)
    assert pack.samples[["width", "height", "aspect", "colour"]].drop_duplicates().values.tolist() == [
        [20, 20, 1.0, "grey"]
    ]


def test_the_number_of_threads_and_the_size_of_a_task_change_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack_home(home).pixels.read_bytes()
    shutil.rmtree(home.parent / "packs")
    monkeypatch.setattr(packing, "TASK_BYTES", 1)
    assert pack_home(home, PackParams(size=20, channels=1, workers=4)).pixels.read_bytes() == first


def test_bad_files_are_refused_and_the_others_keep_their_order(home: Path) -> None:
    (home / "cat" / "p1_0.png").write_bytes(b"words")
    whole = (home / "dog" / "p2_1.png").read_bytes()
    (home / "dog" / "p2_1.png").write_bytes(whole[: len(whole) // 2])
    (home / "dog" / "p4_0.png").rename(home / "dog" / "p4_0.jpg")
    record, chosen = open_home(home)
    (home / "cat" / "p5_1.png").unlink()
    pack = pack_images(record, chosen, PARAMS, home.parent / "packs")
    reasons = dict(zip(pack.refused["source"], pack.refused["reason"], strict=True))
    assert set(reasons) == {"cat/p1_0.png", "cat/p5_1.png", "dog/p2_1.png"}
    assert reasons["cat/p1_0.png"] == f"its content is no image that can be read here, {EXPECTED}"
    assert reasons["cat/p5_1.png"].startswith("cannot be read: ")
    assert reasons["dog/p2_1.png"].startswith("broken: ")
    pixels = np.load(pack.pixels)
    assert list(pack.samples["source"]) == [s for s in chosen["source"] if s not in reasons]
    assert len(pixels) == len(pack.samples) == 9
    for source, image in zip(pack.samples["source"], pixels, strict=True):
        np.testing.assert_array_equal(image[..., 0], read_pixels(source, home))


def test_one_file_under_two_labels_is_refused_with_its_copies(home: Path) -> None:
    shutil.copy(home / "cat" / "p1_0.png", home / "dog" / "p8_0.png")
    shutil.copy(home / "cat" / "p1_1.png", home / "cat" / "p1_2.png")
    pack = pack_home(home)
    assert set(pack.refused["source"]) == {"cat/p1_0.png", "dog/p8_0.png"}
    assert set(pack.refused["reason"]) == {"two labels for one file: copies of it are labelled cat and dog"}
    assert {"cat/p1_1.png", "cat/p1_2.png"} <= set(pack.samples["source"])


def test_the_same_files_are_not_decoded_again_and_a_changed_one_is_noticed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack_home(home)
    with monkeypatch.context() as patch:
        patch.setattr(packing, "decode_image", None)
        again = pack_home(home)
    assert (first.reused, again.reused) == (False, True)
    assert again.pixels == first.pixels
    assert again.samples.equals(first.samples)
    write_image(home / "cat" / "p1_0.png", 99)
    changed = pack_home(home)
    assert not changed.reused
    place = list(changed.samples["source"]).index("cat/p1_0.png")
    np.testing.assert_array_equal(np.load(changed.pixels)[place, ..., 0], read_pixels("cat/p1_0.png", home))
    assert not first.pixels.exists(), "only the newest pack is kept"


def test_another_size_or_another_choice_is_another_pack(home: Path) -> None:
    record, chosen = open_home(home)
    names = {
        packing.name_pack(record, chosen, PARAMS),
        packing.name_pack(record, chosen, PackParams(size=(20, 24), channels=1)),
        packing.name_pack(record, chosen, PackParams(size=20, channels=3)),
        packing.name_pack(record, chosen.iloc[::-1], PARAMS),
        packing.name_pack(record, chosen.assign(label="cat"), PARAMS),
    }
    assert len(names) == 5
    assert packing.name_pack(record, chosen, PackParams(size=20, channels=1, workers=8)) in names


def test_nothing_is_left_of_a_pack_that_was_broken_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_home(home, progress=break_off)
    assert list((home.parent / "packs").iterdir()) == []


def test_where_no_image_can_be_used_the_first_reason_is_said(home: Path) -> None:
    for path in home.rglob("*.png"):
        path.write_bytes(b"words")
    with pytest.raises(
        MammoscanError, match=r"None of the 12 images .*cat/p1_0\.png: its content is no image"
    ):
        pack_home(home)


@pytest.mark.parametrize("kept", [[0, 3, 4, 9], [9], list(range(10))])
def test_dropping_rows_leaves_a_plain_npy_file(tmp_path: Path, kept: list[int], monkeypatch) -> None:
    monkeypatch.setattr("mammoscan.data.packing.MOVE_BYTES", 12)
    rows = np.arange(60, dtype=np.uint8).reshape(10, 2, 3, 1)
    with PackedWriter(tmp_path / "a.npy", rows.shape) as writer:
        writer.write_rows(4, rows[4:])
        writer.write_rows(0, rows[:4])
        writer.keep_rows(np.asarray(kept))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows[kept])

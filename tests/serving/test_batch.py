"""Folders of any content: one row per file, the unusable ones with their reason."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mammoscan.errors import MammoscanError
from mammoscan.safe_text import defuse_formula, make_printable
from mammoscan.serving.batch import list_pictures, predict_files
from mammoscan.serving.decode_pool import DecodePool
from pictures import encode_dicom
from services import CARD, FakeClassifier

SHAPE = (24, 24, 1)
NOISE = np.random.default_rng(0).integers(0, 256, SHAPE[:2]).astype(np.uint8)


@pytest.fixture(scope="module")
def classifier() -> Any:
    fake = FakeClassifier(CARD.model_copy(update={"shape": SHAPE}))
    return SimpleNamespace(card=fake.card, shape=SHAPE, classify=lambda pixels: classify(fake, pixels))


def classify(fake: FakeClassifier, pixels: np.ndarray) -> pd.DataFrame:
    if len(pixels):
        return fake.classify(pixels)
    return pd.DataFrame(columns=["p_benign", "p_malignant", "label", "warnings"])


@pytest.fixture(scope="module")
def decoders(classifier: Any) -> Iterator[DecodePool]:
    with DecodePool(classifier.card.takes) as decoders:
        yield decoders


def encode(array: np.ndarray = NOISE) -> bytes:
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def predict(folder: Path, classifier: Any, decoders: DecodePool) -> pd.DataFrame:
    place, files = list_pictures(str(folder))
    return predict_files(classifier, place, files, lambda *_: None, decoders)[0].set_index("file")


def test_a_pipe_a_socket_and_a_device_are_rows_and_nothing_hangs(
    tmp_path: Path, classifier: Any, decoders: DecodePool
) -> None:
    (tmp_path / "good.png").write_bytes(encode())
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.png"))
        (tmp_path / "device.png").symlink_to("/dev/zero")
        (tmp_path / "gone.png").symlink_to("nowhere")
        table = predict(tmp_path, classifier, decoders)
    assert pd.isna(table.loc["good.png", "error"])
    assert "no regular file" in table.loc["pipe.png", "error"]
    assert "no regular file" in table.loc["device.png", "error"]
    assert table["error"].notna().sum() == 4


def test_a_name_that_is_no_utf_8_is_shown_escaped_and_its_image_answered(
    tmp_path: Path, classifier: Any, decoders: DecodePool
) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(encode())
    (tmp_path / "evil\x1b[2J\nname.png").write_bytes(encode())
    (tmp_path / "=HYPERLINK(1).png").write_bytes(encode())
    table = predict(tmp_path, classifier, decoders)
    assert sorted(table.index) == ["'=HYPERLINK(1).png", r"caf\udce9.png", r"evil\x1b[2J\nname.png"]
    assert table["error"].isna().all()
    table.to_csv(tmp_path / "table.csv")
    table.to_parquet(tmp_path / "table.parquet")


def test_a_file_is_not_read_where_it_is_too_large(
    tmp_path: Path, classifier: Any, decoders: DecodePool
) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(10**12)
    table = predict(tmp_path, classifier, decoders)
    assert "has 1,000,000,000,000 bytes" in table.loc["huge.png", "error"]


def test_a_folder_that_may_not_be_read_and_odd_dicoms_are_rows(
    tmp_path: Path, classifier: Any, decoders: DecodePool
) -> None:
    (tmp_path / "empty_window.dcm").write_bytes(encode_dicom(NOISE, WindowCenter="", WindowWidth=""))
    (tmp_path / "no_table.dcm").write_bytes(encode_dicom(NOISE, VOILUTSequence=[]))
    (tmp_path / "bits.dcm").write_bytes(encode_dicom(NOISE, BitsAllocated=12))
    table = predict(tmp_path, classifier, decoders)
    assert table.loc[["empty_window.dcm", "no_table.dcm"], "error"].isna().all()
    assert "TypeError" not in table.loc["bits.dcm", "error"]


@pytest.mark.parametrize(
    "place", ["nowhere", "a\0b", "x" * 5000, "~nobodyknows/images", "http://[::1"], ids=lambda text: text[:12]
)
def test_an_odd_address_is_one_line(place: str) -> None:
    with pytest.raises(MammoscanError, match=r"predict\.images") as caught:
        list_pictures(place)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 2100


def test_a_single_pipe_is_a_row(tmp_path: Path, classifier: Any, decoders: DecodePool) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    folder, files = list_pictures(str(tmp_path / "pipe.png"))
    table, _ = predict_files(classifier, folder, files, lambda *_: None, decoders)
    assert "no regular file" in table["error"][0]


class TestText:
    @pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
    def test_what_a_spreadsheet_takes_for_a_formula_is_quoted(self, cell: str) -> None:
        assert defuse_formula(cell) == f"'{cell}"
        assert defuse_formula(f"a{cell}") == f"a{cell}"

    @pytest.mark.parametrize(
        "text", ["\x1b]0;title\x07", "a\nb", "\u202egnp.exe", "\udce9", "\x00", "\x9b31m"]
    )
    def test_what_a_terminal_would_obey_is_escaped(self, text: str) -> None:
        shown = make_printable(text)
        assert "\\" in shown
        shown.encode()
        assert shown.isprintable()

    def test_ordinary_text_stays(self) -> None:
        assert (
            make_printable("Müller – größer 10 µm “ja”, 日本.png") == "Müller – größer 10 µm “ja”, 日本.png"
        )

    def test_an_error_is_one_harmless_line(self) -> None:
        message = MammoscanError("x\x1b[31m\n is broken " + "y" * 9000).message
        assert message.startswith(r"x\x1b[31m\n is broken")
        assert len(message) == 2001

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from mammoscan.data import download
from mammoscan.data.download import download_file, hide_secrets
from mammoscan.errors import MammoscanError

Serve = Callable[[Path], tuple[str, list[str]]]
DATA = bytes(range(256)) * 4000


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "a set.tar.gz").write_bytes(DATA)
    return folder


def test_a_file_is_downloaded_once_and_found_again(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, asked = serve(shelf)
    sha256 = hashlib.sha256(DATA).hexdigest()
    path = download_file(f"{address}/a%20set.tar.gz?token=1", tmp_path / "out", sha256)
    assert path.read_bytes() == DATA
    assert path.name == "a set.tar.gz"
    assert download_file(f"{address}/a%20set.tar.gz?token=1", tmp_path / "out", sha256.upper()) == path
    assert len(asked) == 1


def test_a_wrong_sum_keeps_nothing_and_says_both_sums(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, _ = serve(shelf)
    with pytest.raises(MammoscanError, match=f"{hashlib.sha256(DATA).hexdigest()}, expected {'0' * 64}"):
        download_file(f"{address}/a set.tar.gz", tmp_path / "out", "0" * 64)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_kept_file_of_another_sum_is_downloaded_anew(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, asked = serve(shelf)
    path = download_file(f"{address}/a set.tar.gz", tmp_path / "out")
    path.write_bytes(b"changed since")
    download_file(f"{address}/a set.tar.gz", tmp_path / "out", hashlib.sha256(DATA).hexdigest())
    assert path.read_bytes() == DATA
    assert len(asked) == 2


def test_a_broken_transfer_keeps_nothing_and_the_next_begins_anew(
    tmp_path: Path, shelf: Path, serve: Serve
) -> None:
    address, asked = serve(shelf)
    for _ in range(2):
        with pytest.raises(
            MammoscanError, match=r"Could not download .*/broken/x\.zip: .*broke off"
        ) as caught:
            download_file(f"{address}/broken/x.zip", tmp_path / "out")
        assert "\n" not in str(caught.value)
        assert list((tmp_path / "out").iterdir()) == []
    assert len(asked) == 2


def test_what_the_server_answered_is_named(tmp_path: Path, shelf: Path, serve: Serve) -> None:
    address, _ = serve(shelf)
    with pytest.raises(MammoscanError, match="the server answered 404"):
        download_file(f"{address}/nothing.zip", tmp_path / "out")


def test_a_failure_is_told_without_the_secrets_of_an_address(
    tmp_path: Path, shelf: Path, serve: Serve
) -> None:
    address, _ = serve(shelf)
    port = int(address.rpartition(":")[2])
    private = f"http://user:secret@127.0.0.1:{port}/broken/x.zip?key=secret"
    with pytest.raises(MammoscanError, match="Could not download http://127") as caught:
        download_file(private, tmp_path / "out")
    assert "secret" not in str(caught.value)
    assert hide_secrets(private) == f"http://127.0.0.1:{port}/broken/x.zip"


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (requests.Timeout(), "did not answer in time"),
        (requests.HTTPError(), "the server answered with an error"),
        (OSError("No space left"), "No space left"),
    ],
)
def test_other_failures_are_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, match: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(requests, "get", fail)
    with pytest.raises(MammoscanError, match=match):
        download_file("http://127.0.0.1/x.zip", tmp_path / "out")


def test_the_bar_counts_megabytes_with_and_without_a_known_total() -> None:
    seen: list[tuple[int, int, str]] = []
    bar = download._Bar(lambda *args: seen.append(args))
    bar.update(3_000_000)
    bar.total = 4_000_000
    bar.update(3_000_000)
    bar.reset()
    bar.update(4_000_000)
    bar.close()
    assert seen == [(3, 3, "MB"), (4, 4, "MB"), (4, 4, "MB"), (4, 4, "MB")]

"""A packaged model is what its maker wrote, or it is not used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mammoscan.commands import main
from mammoscan.errors import MammoscanError
from mammoscan.models.registry import build_network
from mammoscan.serving.manifest import MANIFEST, SIGNATURE, check_manifest, write_manifest
from mammoscan.serving.signature import check_signature, make_key, sign_manifest
from services import CARD


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "model"
    inside.mkdir()
    (inside / "network.keras").write_bytes(b"weights")
    (inside / "card.json").write_text('{"threshold": 0.4}')
    write_manifest(inside)
    return inside


def change_network(folder: Path) -> str:
    (folder / "network.keras").write_bytes(b"weightz")
    return "network.keras was changed"


def change_threshold(folder: Path) -> str:
    (folder / "card.json").write_text('{"threshold": 0.5}')
    return "card.json was changed"


def delete_card(folder: Path) -> str:
    (folder / "card.json").unlink()
    return "card.json is missing"


def add_onnx(folder: Path) -> str:
    (folder / "network.onnx").write_bytes(b"other weights")
    return "network.onnx is not listed"


def delete_manifest(folder: Path) -> str:
    (folder / MANIFEST).unlink()
    return "holds no manifest.json"


def cut_manifest(folder: Path) -> str:
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text()[:40])
    return "manifest.json cannot be read"


def write_junk(folder: Path) -> str:
    (folder / MANIFEST).write_text("[1, 2]")
    return "manifest.json cannot be read"


def write_future(folder: Path) -> str:
    (folder / MANIFEST).write_text(json.dumps({"format": 9, "sha256": {}}))
    return "has format 9"


CHANGES = [
    change_network,
    change_threshold,
    delete_card,
    add_onnx,
    delete_manifest,
    cut_manifest,
    write_junk,
    write_future,
]


def test_an_untouched_model_is_taken(folder: Path) -> None:
    check_manifest(folder)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_file_is_refused_by_its_name(folder: Path, change: Callable[[Path], str]) -> None:
    words = change(folder)
    with pytest.raises(MammoscanError, match=words) as caught:
        check_manifest(folder)
    assert "\n" not in caught.value.message


class TestSignatures:
    def test_a_signed_model_is_taken_with_its_makers_key_only(self, folder: Path, tmp_path: Path) -> None:
        public, other = make_key(tmp_path / "maker.pem"), make_key(tmp_path / "other.pem")
        sign_manifest(folder, tmp_path / "maker.pem")
        check_signature(folder, public)
        with pytest.raises(MammoscanError, match="was not made by the key of"):
            check_signature(folder, other)

    @pytest.mark.parametrize("change", [change_network, change_threshold, add_onnx])
    def test_new_digests_of_changed_files_are_not_signed(
        self, folder: Path, tmp_path: Path, change: Callable[[Path], str]
    ) -> None:
        public = make_key(tmp_path / "maker.pem")
        signature = sign_manifest(folder, tmp_path / "maker.pem").read_bytes()
        change(folder)
        with pytest.raises(MammoscanError):
            check_signature(folder, public)
        write_manifest(folder)
        assert not (folder / SIGNATURE).exists()
        (folder / SIGNATURE).write_bytes(signature)
        with pytest.raises(MammoscanError, match="do not use the model"):
            check_signature(folder, public)

    def test_an_unsigned_model_is_refused_with_what_to_do(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(MammoscanError, match=r"holds no manifest\.sig.*mammoscan sign --key"):
            check_signature(folder, make_key(tmp_path / "maker.pem"))

    def test_what_is_no_key_is_said(self, folder: Path, tmp_path: Path) -> None:
        junk = tmp_path / "junk.pem"
        with pytest.raises(MammoscanError, match="cannot be read"):
            check_signature(folder, junk)
        junk.write_text("junk")
        with pytest.raises(MammoscanError, match="holds no public key"):
            check_signature(folder, junk)
        with pytest.raises(MammoscanError, match="holds no private key"):
            sign_manifest(folder, junk)
        curve = generate_private_key(SECP256R1()).public_key()
        junk.write_bytes(curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(MammoscanError, match="expected Ed25519"):
            check_signature(folder, junk)

    def test_a_private_key_is_its_owners_and_is_never_overwritten(self, tmp_path: Path) -> None:
        key = tmp_path / "maker.pem"
        make_key(key)
        assert key.stat().st_mode & 0o077 == 0
        with pytest.raises(MammoscanError, match="no key is overwritten"):
            make_key(key)


class TestDamage:
    """Files that are damaged although their digests are new: one line each, and no traceback."""

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        folder = tmp_path / "whole"
        folder.mkdir()
        build_network("small_cnn", (24, 24, 1), 2, 3).save(folder / "network.keras")
        card = CARD.model_copy(update={"shape": (24, 24, 1)})
        (folder / "card.json").write_text(card.model_dump_json())
        return folder

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            ("network.keras", None),
            ("network.keras", b"junk"),
            ("network.keras", b""),
            ("card.json", None),
            ("card.json", b"[]"),
            ("card.json", b"\xff\xfe"),
            ("card.json", b'{"threshold": "high"}'),
            ("out_of_distribution.json", b"{"),
        ],
    )
    def test_a_damaged_file_is_one_line(self, model: Path, file: str, content: bytes | None) -> None:
        whole = (model / file).read_bytes() if content is None else b""
        (model / file).write_bytes(whole[: len(whole) // 2] if content is None else content)
        write_manifest(model)
        done = CliRunner().invoke(
            main, ["serve", "--study", "mias", "--model", str(model), "--host", "127.0.0.1", "--port", "0"]
        )
        assert done.exit_code == 1
        assert isinstance(done.exception, SystemExit), repr(done.exception)
        assert file in done.output
        assert done.output.count("\n") == 1

    def test_a_folder_that_cannot_be_written_is_one_line(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "write_text", refuse)
        with pytest.raises(MammoscanError, match=r"cannot be written.*ermission denied"):
            write_manifest(folder)

    @pytest.mark.parametrize("host", ["a\0b", "x" * 5000, "[::1", "http://[::1", "\x1b[2J", "256.1.1.1"])
    def test_an_odd_host_is_one_line(self, host: str) -> None:
        done = CliRunner().invoke(main, ["serve", "--study", "mias", "--host", host, "--port", "0"])
        assert done.exit_code == 1
        assert isinstance(done.exception, SystemExit), repr(done.exception)
        assert done.output.count("\n") == 1
        assert "\x1b" not in done.output
        assert len(done.output) < 1000


class TestCommand:
    def test_it_makes_a_key_signs_and_says_where(self, folder: Path, tmp_path: Path) -> None:
        key = tmp_path / "maker.pem"
        done = CliRunner().invoke(main, ["sign", "--new-key", str(key), str(folder)])
        assert done.exit_code == 0, done.output
        assert f"signature: {folder / SIGNATURE}" in done.output
        check_signature(folder, tmp_path / "maker.pub.pem")
        done = CliRunner().invoke(main, ["sign", str(folder)])
        assert "signature" not in done.output
        assert not (folder / SIGNATURE).exists()

    def test_serve_refuses_a_model_without_the_signature(self, folder: Path, tmp_path: Path) -> None:
        public = make_key(tmp_path / "maker.pem")
        words = ["serve", "--study", "mias", "--model", str(folder), "--port", "0"]
        done = CliRunner().invoke(main, [*words, "--require-signature", str(public)])
        assert done.exit_code == 1
        assert "holds no manifest.sig" in done.output
        assert done.output.count("\n") == 1

    def test_without_a_folder_or_a_key_it_says_what_is_missing(self) -> None:
        done = CliRunner().invoke(main, ["sign"])
        assert done.exit_code == 2
        assert "name the folder of a packaged model" in done.output

"""Ed25519 signatures of a packaged model's manifest."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mammoscan.errors import MammoscanError
from mammoscan.serving.manifest import MANIFEST, SIGNATURE, check_manifest


def make_key(path: Path) -> Path:
    """Write a private key that only its owner may read, and return the file of its public key beside it."""
    public = path.with_suffix(".pub.pem")
    key = Ed25519PrivateKey.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    except FileExistsError as error:
        raise MammoscanError(
            f"{path} is there already, expected a new file: no key is overwritten"
        ) from error
    except OSError as error:
        raise MammoscanError(f"{path} cannot be written ({error.strerror}): choose another folder") from error
    return public


def sign_manifest(folder: Path, key: Path) -> Path:
    """Sign the manifest of a model's folder with a private key; return the signature's file."""
    private = _read_key(key, "private")
    assert isinstance(private, Ed25519PrivateKey)
    signature = folder / SIGNATURE
    try:
        signature.write_bytes(private.sign((folder / MANIFEST).read_bytes()))
    except OSError as error:
        raise MammoscanError(
            f"{signature} cannot be written ({error.strerror}): copy the model to a folder of your own"
        ) from error
    return signature


def check_signature(folder: Path, key: Path) -> None:
    """Raise ``MammoscanError`` unless a model's files are those that the owner of a public key signed."""
    public = _read_key(key, "public")
    assert isinstance(public, Ed25519PublicKey)
    try:
        public.verify((folder / SIGNATURE).read_bytes(), (folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise MammoscanError(
            f"{folder} holds no {Path(error.filename).name}, expected a model signed with the key of {key}; sign it: "
            f"mammoscan sign --key <private key> {folder}"
        ) from error
    except InvalidSignature as error:
        raise MammoscanError(
            f"{folder / SIGNATURE} was not made by the key of {key} for this {MANIFEST}: do not use the model"
        ) from error
    check_manifest(folder)


def _read_key(path: Path, kind: str) -> object:
    try:
        content = path.read_bytes()
        key = load_pem_private_key(content, None) if kind == "private" else load_pem_public_key(content)
    except OSError as error:
        raise MammoscanError(f"{path} cannot be read ({error.strerror}), expected a {kind} key") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MammoscanError(
            f"{path} holds no {kind} key, expected one of mammoscan sign --new-key"
        ) from error
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise MammoscanError(
            f"{path} holds a key of another kind, expected Ed25519: mammoscan sign --new-key"
        )
    return key

"""Sealed files, and the keys that sign them."""

import hashlib
import json
import resource
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lethe.errors import InputError
from lethe.storage.documents import MalformedError
from lethe.storage.seals import BrokenSealError, check_seal, sealed
from lethe.storage.signing import SigningKey, new_key, public_path, read_public_key, read_signing_key

SAID = {"document": "test", "number": 1.0e-5, "name": "Müller"}


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    new_key(tmp_path / "a.pem")
    return read_signing_key(tmp_path / "a.pem")


def test_what_is_sealed_is_there_and_its_seal_holds(key: SigningKey) -> None:
    text = sealed(SAID, key)
    assert {name: value for name, value in json.loads(text).items() if name != "seal"} == SAID
    assert check_seal(text).public_key == key.public
    assert check_seal(sealed(SAID, None)).signature is None


def test_anybody_can_check_it_with_zeros_in_two_places(key: SigningKey) -> None:
    """As docs/certificate.md describes it."""
    text = sealed(SAID, key)
    seal = json.loads(text)["seal"]
    blank = text.replace(seal["sha256"].encode(), b"0" * 64).replace(seal["signature"].encode(), b"0" * 128)
    assert hashlib.sha256(blank).hexdigest() == seal["sha256"]
    key.private.public_key().verify(bytes.fromhex(seal["signature"]), blank)


def test_every_changed_byte_breaks_the_seal(key: SigningKey) -> None:
    for text in (sealed(SAID, key), sealed(SAID, None)):
        for place in range(len(text)):
            changed = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
            with pytest.raises((BrokenSealError, MalformedError)):
                check_seal(changed)


def test_a_seal_of_another_key_or_a_half_one_is_refused(key: SigningKey, tmp_path: Path) -> None:
    new_key(tmp_path / "b.pem")
    other = read_signing_key(tmp_path / "b.pem")
    said = json.loads(sealed(SAID, key))
    text = sealed(SAID, other).replace(other.public.encode(), key.public.encode())
    with pytest.raises(BrokenSealError, match="have changed"):
        check_seal(text)
    said["seal"]["algorithm"] = None
    with pytest.raises(MalformedError, match="or null for all three"):
        check_seal(json.dumps(said).encode())
    with pytest.raises(MalformedError, match="`seal` at its end"):
        check_seal(json.dumps({"seal": said["seal"], "document": "test"}).encode())


def test_a_private_key_is_its_owners_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    public = new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_public_key(public_path(path)) == public == read_signing_key(path).public
    kept = path.read_bytes()
    with pytest.raises(InputError, match="exists: name another file"):
        new_key(path)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.pem\.pub exists"):
        new_key(path)
    path.write_bytes(kept)
    with pytest.raises(InputError, match="cannot write the key"):
        new_key(tmp_path / "nowhere" / "a.pem")


def test_files_that_are_no_such_key_are_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "a.pem")
    with pytest.raises(InputError, match="wanted an Ed25519 public key"):
        read_public_key(tmp_path / "a.pem")
    with pytest.raises(InputError, match="wanted an Ed25519 private key without a password"):
        read_signing_key(tmp_path / "a.pem.pub")
    with pytest.raises(InputError, match="No such file"):
        read_signing_key(tmp_path / "b.pem")
    curve = generate_private_key(SECP256R1())
    (tmp_path / "c.pem").write_bytes(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(InputError, match="of another kind"):
        read_signing_key(tmp_path / "c.pem")
    private = load_pem_private_key((tmp_path / "a.pem").read_bytes(), None)
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "d.pem").write_bytes(locked)
    with pytest.raises(InputError, match="without a password"):
        read_signing_key(tmp_path / "d.pem")


def test_a_key_that_cannot_be_written_whole_leaves_no_file(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, before[1]))
    try:
        with pytest.raises(InputError, match=r"a\.pem: cannot write the key: File too large"):
            new_key(tmp_path / "a.pem")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.pem.pub").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"a\.pem\.pub exists"):
        new_key(tmp_path / "a.pem")
    assert not (tmp_path / "a.pem").exists()

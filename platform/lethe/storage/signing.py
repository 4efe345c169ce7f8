"""Ed25519 keys in PEM files, and what they sign; the cryptography is that of the library of this name.

A private key is a file that its owner alone may read (mode 0600), unencrypted PKCS #8; its public key lies beside it
as ``<file>.pub``. Both are what `openssl pkey` reads.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lethe.errors import InputError

if TYPE_CHECKING:  # the library is imported by whoever signs or checks, and by nobody else
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_SUFFIX: Final = ".pub"

KEY_LIMIT_BYTES: Final = 1 << 16


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A private key."""

    private: "Ed25519PrivateKey"

    @property
    def public(self) -> str:
        """The 32 bytes of its public key, in hex."""
        return self.private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """Return the signature of a message: 64 bytes, in hex."""
        return self.private.sign(message).hex()


def new_key(path: Path) -> str:
    """Make a key pair, write it to ``path`` and ``path.pub``, and return the public key in hex.

    Raises:
        InputError: one of the files exists, or the folder does not, or cannot be written to.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    beside = public_path(path)
    if beside.exists():
        raise InputError(f"{beside} exists: name another file, so that no key is overwritten")
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _create(path, secret, 0o600)
    try:
        _create(beside, private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except InputError:
        path.unlink()
        raise
    return SigningKey(private).public


def public_path(path: Path) -> Path:
    """Return where the public key of a private key's file is written."""
    return path.with_name(path.name + PUBLIC_SUFFIX)


def read_signing_key(path: Path) -> SigningKey:
    """Read a private key.

    Raises:
        InputError: the file cannot be read, or holds no Ed25519 private key without a password.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _loaded(path, "an Ed25519 private key without a password", lambda text: load_pem_private_key(text, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: wanted an Ed25519 private key, got one of another kind; `lethe key new` makes one")
    return SigningKey(key)


def read_public_key(path: Path) -> str:
    """Read a public key; return its 32 bytes in hex.

    Raises:
        InputError: the file cannot be read, or holds no Ed25519 public key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _loaded(path, f"an Ed25519 public key, such as the file that ends with {PUBLIC_SUFFIX}", load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: wanted an Ed25519 public key, got one of another kind")
    return key.public_bytes_raw().hex()


def is_signature(public_key: str, signature: str, message: bytes) -> bool:
    """Return whether a signature of a message was made by the private key that belongs to a public one.

    Args:
        public_key, signature: in hex.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except InvalidSignature:
        return False
    return True


def _loaded(path: Path, wanted: str, load: Any) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        with path.open("rb") as file:
            text = file.read(KEY_LIMIT_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot read the key: {error.strerror}") from None
    try:
        return load(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError(f"{path}: wanted {wanted} (PEM)") from None


def _create(path: Path, content: bytes, mode: int) -> None:
    """Write a file that does not exist, readable from its first moment by those alone who may read it, or none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise InputError(f"{path} exists: name another file, so that no key is overwritten") from None
    except OSError as error:
        raise InputError(f"{path}: cannot write the key: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink()
        raise InputError(f"{path}: cannot write the key: {error.strerror}") from None

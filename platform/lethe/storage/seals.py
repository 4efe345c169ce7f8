"""Sealed JSON files: each ends with a checksum of its own bytes and, where there is a key, a signature of them.

What is hashed and signed is the file itself, byte for byte, with a 0 for each digit of the checksum and the signature.
So every byte counts, spaces too, and nobody needs a canonical form of JSON, in which two programs may write a number
differently: whoever checks a file puts zeros in these two places and hashes what is there.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from lethe.errors import LetheError
from lethe.storage.documents import Document, MalformedError, read_json, read_json_object
from lethe.storage.hashing import digest
from lethe.storage.signing import SigningKey, is_signature

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_SHA256: Final = "0" * 64
_SIGNATURE: Final = "0" * 128


class BrokenSealError(LetheError):
    """A sealed file whose bytes are not those that were sealed; the message says what was found."""


class Seal(Document):
    """The end of a sealed file.

    Attributes:
        algorithm, public_key, signature: null in a file that nobody signed.
    """

    algorithm: Literal["Ed25519"] | None = Field(description="how the file is signed; null: it is not")
    public_key: Sha256 | None = Field(description="public key of whoever signed, 32 bytes in hex")
    sha256: Sha256 = Field(description="SHA-256 of the file with a 0 for each digit of `sha256` and `signature`")
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")] | None = Field(
        description="signature of the same bytes, 64 bytes in hex"
    )

    @property
    def signed(self) -> bool:
        """Whether there is a signature."""
        return self.signature is not None


class _Sealed(Document):
    seal: Seal


def sealed(content: Mapping[str, Any], key: SigningKey | None) -> bytes:
    """Write a JSON file with a seal at its end.

    Args:
        content: JSON values by key, without a key `seal`.
        key: signs the file; None leaves it unsigned.
    """
    seal = Seal(
        algorithm="Ed25519" if key else None,
        public_key=key.public if key else None,
        sha256=_SHA256,
        signature=_SIGNATURE if key else None,
    )
    text = json.dumps({**content, "seal": seal.model_dump()}, indent=1, ensure_ascii=False, allow_nan=False)
    blank = f"{text}\n".encode()
    hashed = _replaced(blank, _SHA256, digest(blank))
    return _replaced(hashed, _SIGNATURE, key.sign(blank)) if key else hashed


def check_seal(text: bytes) -> Seal:
    """Check that a sealed file's bytes are those that were sealed, and its signature, where there is one.

    A signature that fits its own public key says nothing about whose that is: compare `Seal.public_key`.

    Raises:
        MalformedError: it is no JSON object with a seal at its end.
        BrokenSealError: its bytes were changed, or the signature does not belong to them and to the public key.
    """
    if list(read_json_object(text))[-1:] != ["seal"]:
        raise MalformedError("wanted a JSON object with `seal` at its end")
    seal = read_json(_Sealed, text).seal
    if (seal.algorithm is None) != (seal.public_key is None) or seal.signed != (seal.public_key is not None):
        raise MalformedError("seal: wanted algorithm, public_key and signature, or null for all three")
    blank = _replaced(text, seal.sha256, _SHA256)
    if seal.signature is not None:
        blank = _replaced(blank, seal.signature, _SIGNATURE)
    if digest(blank) != seal.sha256:
        raise BrokenSealError("its bytes have changed since it was written")
    if seal.signature and seal.public_key and not is_signature(seal.public_key, seal.signature, blank):
        raise BrokenSealError("its signature was not made by the key that it names, or for other bytes")
    return seal


def _replaced(text: bytes, old: str, new: str) -> bytes:
    """Replace the last occurrence, as a whole JSON text: it is in the seal, with which a file ends."""
    head, _, tail = text.rpartition(f'"{old}"'.encode())
    return head + f'"{new}"'.encode() + tail

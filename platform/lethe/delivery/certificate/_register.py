"""The certificates that results keep: of which models there are some, and what opens their commitments.

A copy of each certificate stays with the results, under the model's fingerprint and the beginning of its commitment to
the list, which no other certificate has. So a purge leaves what was delivered, and the next certificate knows of it.
"""

from typing import Final

from lethe.delivery.certificate._commitment import OPENING_LIMIT_BYTES, Opening
from lethe.delivery.certificate._document import Certificate
from lethe.storage.documents import read_json
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot

_OPENING: Final = ".opening.json"


def register(root: StorageRoot, fingerprint: str, certificate: bytes, list_commitment: str, opening: Opening) -> None:
    """Keep a certificate beside earlier ones of the same model, and what opens it.

    Raises:
        StorageError: it could not be written.
    """
    folder = Layout(root).certificates
    folder.write(opening_name(list_commitment), opening.model_dump_json(indent=1).encode())
    folder.write(f"{fingerprint}-{list_commitment[:16]}.json", certificate)


def names_requester(root: StorageRoot, certificate: Certificate, requester: str) -> bool | None:
    """Return whether a certificate is for somebody; None where these results have nothing that opens it.

    Raises:
        MalformedError: what opens it was changed.
        StorageError: it cannot be read.
    """
    if certificate.request.requester is None:
        return False
    try:
        text = Layout(root).certificates.read(opening_name(certificate.request.list_commitment), OPENING_LIMIT_BYTES)
    except FileNotFoundError:
        return None
    return read_json(Opening, text).of_requester(requester) == certificate.request.requester


def opening_name(list_commitment: str) -> str:
    """Return the name of the file that opens the commitments of a certificate."""
    return f"{list_commitment[:16]}{_OPENING}"


def certified(root: StorageRoot) -> frozenset[str]:
    """Return the fingerprints of the models that have a certificate."""
    names = Layout(root).certificates.names(".json")
    found = (name.removesuffix(".json") for name in names if not name.endswith(_OPENING))
    return frozenset(name.partition("-")[0] for name in found)

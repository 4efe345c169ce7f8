"""The certificates that results keep: of which models there are some, and what opens their commitments.

A copy of each certificate stays with the results, under the model's fingerprint and the beginning of its commitment to
the list, which no other certificate has. So a purge leaves what was delivered, and the next certificate knows of it.
"""

from lethe.delivery.certificate._document import Certificate
from lethe.storage.commitments import OPENING_LIMIT_BYTES, Opening
from lethe.storage.documents import read_json
from lethe.storage.layout import Layout, certificate_name, opening_name
from lethe.storage.root import StorageRoot


def register(root: StorageRoot, fingerprint: str, certificate: bytes, list_commitment: str, opening: Opening) -> None:
    """Keep a certificate beside earlier ones of the same model, and what opens it.

    Raises:
        StorageError: it could not be written.
    """
    folder = Layout(root).certificates
    folder.write(opening_name(list_commitment), opening.model_dump_json(indent=1).encode())
    folder.write(certificate_name(fingerprint, list_commitment), certificate)


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

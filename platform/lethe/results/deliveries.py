"""The certificates that results keep, as far as others than a delivery read them: which model, for which request."""

from collections.abc import Iterable, Iterator, Sequence, Set

from pydantic import AwareDatetime

from lethe.storage.commitments import OPENING_LIMIT_BYTES, Opening
from lethe.storage.documents import Document, MalformedError, read_json
from lethe.storage.layout import Layout, opening_name
from lethe.storage.root import StorageRoot


class _Request(Document):
    kind: str
    list_commitment: str
    images: int
    train_images: int


class _Data(Document):
    sha256: str


class _Setting(Document):
    study: str
    row: str


class _Model(Document):
    fingerprint: str
    tensors_sha256: str | None


class _Models(Document):
    original: _Model
    delivered: _Model
    delivered_files: dict[str, str]


class KnownDelivery(Document):
    """What is read again of a certificate."""

    made_at: AwareDatetime
    verdict: str
    request: _Request
    data: _Data
    setting: _Setting
    models: _Models

    @property
    def tensors(self) -> frozenset[str]:
        """The hashes of the delivered tensors: of the whole network, and of each file of weights."""
        whole = self.models.delivered.tensors_sha256
        return frozenset(self.models.delivered_files.values()) | ({whole} if whole else frozenset())


def known_deliveries(root: StorageRoot) -> list[KnownDelivery]:
    """Read all certificates that results keep, the oldest first.

    Raises:
        MalformedError: one was changed; the message names it.
        StorageError: one cannot be read.
    """
    return sorted(_read_all(root), key=lambda one: one.made_at)


def leading_to(tensors: Set[str], known: Sequence[KnownDelivery]) -> list[KnownDelivery]:
    """Return the deliveries of a model, and those of the models that it was made from.

    Args:
        tensors: hashes of the model's tensors, as `KnownDelivery.tensors`.
    """
    found: list[KnownDelivery] = []
    while more := [one for one in known if one not in found and one.tensors & tensors]:
        found += more
        tensors = {sha256 for one in more if (sha256 := one.models.original.tensors_sha256)}
    return found


def is_of_list(root: StorageRoot, delivery: KnownDelivery, lists: Iterable[str]) -> bool:
    """Return whether a delivery was for one of some lists; False, too, where these results have nothing that opens it.

    Args:
        lists: hashes of positions in train (`Subset.hash`).

    Raises:
        MalformedError: what opens it was changed.
        StorageError: it cannot be read.
    """
    commitment = delivery.request.list_commitment
    try:
        opening = read_json(Opening, Layout(root).certificates.read(opening_name(commitment), OPENING_LIMIT_BYTES))
    except FileNotFoundError:
        return False
    return any(opening.of_list(one) == commitment for one in lists)


def _read_all(root: StorageRoot) -> Iterator[KnownDelivery]:
    layout = Layout(root)
    for name in layout.certificate_names():
        try:
            yield read_json(KnownDelivery, layout.certificates.read(name))
        except MalformedError as error:
            raise MalformedError(f"{root}/certificates/{name}: {error}") from None

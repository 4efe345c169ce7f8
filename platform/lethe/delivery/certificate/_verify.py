"""Verifies a delivery, or the record of a purge, from its files alone: no results, no network and no torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lethe.delivery.certificate._document import SCHEMA_VERSION, Certificate
from lethe.delivery.certificate._files import NO_FILE, digests_in
from lethe.errors import InputError
from lethe.results.purges import parse_purge, refuse_newer
from lethe.storage.commitments import OPENING_LIMIT_BYTES, Opening
from lethe.storage.documents import MalformedError, read_json, read_json_object
from lethe.storage.seals import BrokenSealError, Seal, check_seal

CERTIFICATE: Final = "certificate.json"

LIMIT_BYTES: Final = 1 << 26


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        passed: None for what is no check but must be known, such as that nobody signed.
        told: what was found, a sentence.
    """

    name: str
    passed: bool | None
    told: str


@dataclass(frozen=True)
class Verified:
    """What was checked.

    Attributes:
        certificate: None where it cannot be read, and for the record of a purge.
    """

    checks: tuple[Check, ...]
    certificate: Certificate | None

    @property
    def sound(self) -> bool:
        """Whether no check failed."""
        return all(check.passed is not False for check in self.checks)


@dataclass(frozen=True)
class Claims:
    """What a delivery is held against beside its own files; None for what is not.

    Attributes:
        public_key: of whoever should have signed, in hex.
        opening: file that opens the commitments, from the results.
        requester: who should have asked.
        positions: hash of the positions of the list that should have been asked for.
    """

    public_key: str | None = None
    opening: Path | None = None
    requester: str | None = None
    positions: str | None = None


def verify(path: Path, claims: Claims) -> Verified:
    """Verify a delivery's folder, or the file of a purge's record.

    Raises:
        InputError: there is neither, or the claims cannot be checked.
        SchemaError: a newer Lethe wrote it.
    """
    if (claims.requester is not None or claims.positions is not None) != (claims.opening is not None):
        raise InputError("--opening goes with --requester or --list, and they with --opening")
    return _verify_folder(path, claims) if path.is_dir() else _verify_record(path, claims)


def _verify_folder(folder: Path, claims: Claims) -> Verified:
    text = _bytes_of(folder / CERTIFICATE, f"{folder} holds no {CERTIFICATE}: name the folder of a delivery")
    try:
        refuse_newer(read_json_object(text), SCHEMA_VERSION)
        certificate = read_json(Certificate, text)
    except MalformedError as error:
        return Verified((Check("schema", False, f"{CERTIFICATE} is no certificate: {error}"),), None)
    checks = [
        Check("schema", True, f"{CERTIFICATE} is a certificate of schema version {certificate.schema_version}."),
        *_seal_checks(text, claims),
        *_file_checks(folder, certificate),
        *_opened(certificate, claims),
    ]
    return Verified(tuple(checks), certificate)


def _verify_record(path: Path, claims: Claims) -> Verified:
    text = _bytes_of(path, f"there is neither a folder of a delivery nor a record of a purge: {path}")
    if claims.opening:
        raise InputError("a record of a purge has no commitments to open")
    try:
        record = parse_purge(text)
    except (MalformedError, BrokenSealError) as error:
        told = f"{path.name} is no record of a purge as it was written: {error}"
        return Verified((Check("record", False, told),), None)
    ended = "was carried out" if record.finished else "WAS INTERRUPTED: repeat it"
    told = f"{len(record.removed)} things listed as removed on {record.at:%Y-%m-%d %H:%M} UTC; it {ended}."
    return Verified((Check("record", record.finished, told), *_seal_checks(text, claims)), None)


def _seal_checks(text: bytes, claims: Claims) -> Iterator[Check]:
    try:
        seal = check_seal(text)
    except (MalformedError, BrokenSealError) as error:
        yield Check("seal", False, f"The file is not what was sealed: {error}.")
        return
    yield Check("seal", True, "Not one byte of it has changed since it was sealed.")
    yield _signature_check(seal, claims.public_key)


def _signature_check(seal: Seal, expected: str | None) -> Check:
    if not seal.signed:
        told = "UNSIGNED: nobody signed it, so anybody may have written it."
        return Check("signature", None if expected is None else False, told)
    if expected is None:
        told = (
            f"Signed by the key {seal.public_key}, which the file itself names: that proves integrity alone. Whose key "
            "it is, --public-key FILE says."
        )
        return Check("signature", None, told)
    if seal.public_key != expected:
        return Check("signature", False, f"Signed by another key, {seal.public_key}, than the expected {expected}.")
    return Check("signature", True, f"Signed by the expected key, {expected}.")


def _file_checks(folder: Path, certificate: Certificate) -> Iterator[Check]:
    try:
        found = digests_in(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot read a file of it: {error}") from None
    own = found.pop(CERTIFICATE, None)
    problems = [f"{CERTIFICATE} is no plain file."] if own == NO_FILE else []
    problems += _file_problems(certificate.files, found)
    for problem in problems:
        yield Check("files", False, problem)
    if not problems:
        yield Check("files", True, f"All {len(found)} other files are there, unchanged, and there are no more.")


def _file_problems(listed: dict[str, str], found: dict[str, str]) -> Iterator[str]:
    for name in sorted({*listed, *found}):
        if name not in found:
            yield f"{name} is missing."
        elif name not in listed:
            yield f"{name} was added: the certificate does not list it."
        elif found[name] == NO_FILE:
            yield f"{name} is no plain file."
        elif found[name] != listed[name]:
            yield f"{name} has changed."


def _opened(certificate: Certificate, claims: Claims) -> Iterator[Check]:
    if claims.opening is None:
        return
    opening = _opening(claims.opening)
    if claims.requester is not None:
        same = certificate.request.requester == opening.of_requester(claims.requester)
        yield Check("requester", same, f"The certificate is {'' if same else 'not '}for this requester.")
    if claims.positions is not None:
        same = certificate.request.list_commitment == opening.of_list(claims.positions)
        yield Check("list", same, f"The certificate is {'' if same else 'not '}for the list of this hash.")


def _opening(path: Path) -> Opening:
    try:
        return read_json(Opening, _bytes_of(path, f"there is no {path}", OPENING_LIMIT_BYTES))
    except MalformedError as error:
        raise InputError(f"{path} opens no certificate: {error}") from None


def _bytes_of(path: Path, otherwise: str, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """Read a small file.

    Raises:
        InputError: there is none, it cannot be read, or it is too large.
    """
    if not path.is_file():
        raise InputError(otherwise)
    try:
        with path.open("rb") as file:
            text = file.read(limit_bytes + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(text) > limit_bytes:
        raise InputError(f"{path}: larger than {limit_bytes:,} bytes, which no such file is")
    return text

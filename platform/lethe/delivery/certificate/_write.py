"""Writes the certificate of a delivery: gathers what it says, makes its page, and seals it with all other files."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lethe.delivery._delivered import Delivered
from lethe.delivery.certificate._asked import ask
from lethe.delivery.certificate._criteria import criteria_section, recorded_specification
from lethe.delivery.certificate._document import Content
from lethe.delivery.certificate._files import digests_in
from lethe.delivery.certificate._findings import audit_findings, clinical_findings, cost_section, gap_section
from lethe.delivery.certificate._judgement import judgements, limits, overall
from lethe.delivery.certificate._lineage_section import lineage_section
from lethe.delivery.certificate._models import code_section, models_section, setting_section
from lethe.delivery.certificate._page import render_certificate
from lethe.delivery.certificate._register import register
from lethe.delivery.certificate._request import data_section, request_section
from lethe.delivery.certificate._verify import CERTIFICATE
from lethe.errors import InputError
from lethe.storage.commitments import Opening
from lethe.storage.hashing import digest
from lethe.storage.root import StorageRoot
from lethe.storage.seals import sealed
from lethe.storage.signing import SigningKey, read_signing_key
from unlearning.data import ImageData, load

PAGE: Final = "certificate.html"


def write_certificate(delivered: Delivered, *, requester: str | None, key: Path | None) -> Mapping[str, str]:
    """Write `certificate.json` and `certificate.html` into the folder of a delivery.

    A copy of the certificate, and what opens its commitments to the requester and the list, stay with the results.

    Args:
        requester: who asked, such as the number of a letter; only a commitment to it is written. None: nobody is named.
        key: file of an Ed25519 private key that signs; None leaves the certificate unsigned, which it says.

    Returns:
        The SHA-256 in hex of each of the two files, by its name.

    Raises:
        InputError: the folder holds other files than the delivery names, or files of other content; the key cannot be
            used; the results lack the specification, the row, the confirmation or a model; or the data has changed.
        DataError: the data of the delivered model cannot be read.
        BrokenSealError, MalformedError: the record of an earlier purge was changed.
        CorruptArtifactError, StorageError: a model is not what was written, or something could not be written.
    """
    signing_key = read_signing_key(key) if key else None
    _check_files(delivered)
    opening = Opening.new()
    content = _content(delivered, requester, opening)
    page = render_certificate(content, delivered.files, signing_key.public if signing_key else None).encode()
    files = {**delivered.files, PAGE: digest(page)}
    text = _sealed(content, files, signing_key)
    register(delivered.root, delivered.model.fingerprint, text, content.request.list_commitment, opening)
    folder = StorageRoot.at(delivered.folder)
    folder.write(PAGE, page)
    folder.write(CERTIFICATE, text)
    return {CERTIFICATE: digest(text), PAGE: digest(page)}


def _content(delivered: Delivered, requester: str | None, opening: Opening) -> Content:
    recorded = recorded_specification(delivered)
    asked = ask(delivered, recorded.specification_id)
    data = _data_of(delivered)
    request = request_section(delivered, data, requester, opening)
    criteria = criteria_section(delivered, recorded, asked.confirmed_at)
    judged = judgements(asked)
    return Content(
        document="lethe certificate",
        schema_version=1,
        made_at=datetime.now(UTC),
        verdict=overall(judged),
        judgements=judged,
        limits=limits(criteria, request, asked),
        request=request,
        data=data_section(delivered, data),
        code=code_section(delivered),
        setting=setting_section(delivered),
        models=models_section(delivered),
        criteria=criteria,
        audits=audit_findings(asked),
        gap=gap_section(asked),
        clinical=clinical_findings(asked),
        cost=cost_section(asked),
        lineage=lineage_section(delivered),
    )


def _data_of(delivered: Delivered) -> ImageData:
    """Read the data of the delivered model as its source has it, before anything is planted."""
    scenario = delivered.model.scenario
    data = load(scenario.source)
    if scenario.request.plants is None and data.content_hash != scenario.data_hash:
        raise InputError(
            f"{data.name}: its images or labels have changed since the delivered model was made and tested"
        )
    return data


def _sealed(content: Content, files: Mapping[str, str], key: SigningKey | None) -> bytes:
    return sealed({**content.model_dump(mode="json"), "files": dict(sorted(files.items()))}, key)


def _check_files(delivered: Delivered) -> None:
    """Check that the folder holds the files that the delivery names, and nothing else."""
    found = digests_in(delivered.folder)
    found = {name: sha256 for name, sha256 in found.items() if name not in (CERTIFICATE, PAGE)}
    if found != dict(delivered.files):
        names = sorted({name for name in {*found, *delivered.files} if found.get(name) != delivered.files.get(name)})
        raise InputError(f"{delivered.folder}: its files are not those of the delivery: {', '.join(names)}")

"""What a folder has from an earlier delivery, and whether that is what is asked for now.

A certificate that was given out is never rewritten. Where one judges by other criteria than the study has now, its
whole folder is set aside under another name, and another one is written.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lethe.delivery._choose import DeliveryError
from lethe.delivery._folder import SETTING
from lethe.delivery.certificate import CERTIFICATE, Certificate, Claims, names_requester, verify
from lethe.pipeline.plan import Plan
from lethe.pipeline.production import Production
from lethe.storage.documents import Document
from lethe.storage.root import StorageRoot
from lethe.study import Study, YamlError, read_yaml, scenarios_of


class Said(Document):
    """What is read again of a delivery's `setting.yaml`, which its certificate lists; the other keys are for people."""

    scenario: str
    row: str
    confirmation_id: str


@dataclass(frozen=True)
class Earlier:
    """A delivery that is there, unchanged.

    Attributes:
        said: what its `setting.yaml` says.
    """

    folder: Path
    certificate: Certificate
    said: Said

    @property
    def aside(self) -> str:
        """The name beside its folder that it is set aside under: the same, with the time of its certificate, UTC."""
        return f"{self.folder.name}-{self.certificate.made_at:%Y%m%dT%H%M%S}"

    @property
    def kept_in(self) -> Path:
        """The folder that it is in once it is set aside."""
        return self.folder.parent / self.aside

    def judges_as(self, study: Study, wanted: Production) -> bool:
        """Return whether its certificate judges by what the study judges by now: audits, seeds, margin, versions."""
        criteria, seeds = self.certificate.criteria, study.seeds
        tuning = seeds.tuning if study.has_oracles else ()
        now = (wanted.confirmation_id, study.margin, list(tuning), list(seeds.reporting))
        return now == (self.said.confirmation_id, criteria.margin, criteria.tuning_seeds, criteria.reporting_seeds)


def earlier_in(folder: Path) -> Earlier | None:
    """Return the earlier delivery in a folder; None where there is no such folder, or an empty one.

    Raises:
        DeliveryError: the folder holds something else, or its files are not those that were delivered.
        SchemaError: a newer Lethe wrote the certificate.
        StorageError: the folder cannot be read.
    """
    files = StorageRoot.at(folder).entries()
    if not files:
        return None
    if CERTIFICATE not in files:
        raise DeliveryError(f"{folder} holds files and no delivery (no {CERTIFICATE}): name another folder with --out")
    verified = verify(folder, Claims())
    if verified.certificate is None or not verified.sound:
        failed = " ".join(check.told for check in verified.checks if check.passed is False)
        raise DeliveryError(f"{folder} is not what was delivered: {failed} Name another folder with --out")
    return Earlier(folder, verified.certificate, _said_in(folder))


def refuse_other_request(out: Path, plan: Plan, method: str | None, scenario: str | None) -> None:
    """Raise DeliveryError where a folder holds something that no run of a planned study delivers there.

    Args:
        method: the row to deliver; None: it is not known yet.
        scenario: the beginning of the fingerprint of its scenario; None: of a stream of requests, that after the last.

    Raises:
        DeliveryError: it holds something else than a delivery, or that of another request, data set, network, recipe
            or row.
        SchemaError, StorageError: as `earlier_in`.
    """
    earlier = earlier_in(out)
    if earlier is None:
        return
    _check_same_study(earlier, plan.study)
    if scenario is None:
        asked_for = [one.scenarios[-1].fingerprint for one in plan.method_searches]
    else:
        every = scenarios_of(plan.method_searches)
        asked_for = [one.fingerprint for one in every if one.fingerprint.startswith(scenario)]
    _check_same_request(earlier, asked_for)
    if method not in (None, earlier.said.row):
        raise DeliveryError(
            f"{out} holds another model, that of {earlier.said.row}, and {method} is asked for. Nothing was run: name "
            "another folder with --out"
        )


def stays(
    earlier: Earlier, study: Study, wanted: Production, root: StorageRoot, requester: str | None, signer: str | None
) -> bool:
    """Return whether an earlier delivery is what is wanted now; False: another certificate is to take its place.

    Args:
        root: the results that may open its commitment to the requester.
        signer: public key, in hex.

    Raises:
        DeliveryError: it is of another request or another model, its certificate is for somebody else or of another
            signer, or the one that takes its place would say less of them.
    """
    _check_same_study(earlier, study)
    _check_same_request(earlier, (wanted.scenario.fingerprint,))
    _check_same_model(earlier, wanted)
    if earlier.judges_as(study, wanted):
        _check_people(earlier, root, requester, signer)
        return True
    _check_no_less_said(earlier, requester, signer)
    return False


def _check_same_study(earlier: Earlier, study: Study) -> None:
    """Raise DeliveryError where a folder holds what another study delivered, of the same model perhaps."""
    name = earlier.certificate.setting.study
    if name != study.name:
        raise DeliveryError(
            f"{earlier.folder} holds what the study {name} delivered, and this is the study {study.name}: name another "
            "folder with --out"
        )


def _check_same_request(earlier: Earlier, asked_for: Collection[str]) -> None:
    """Raise DeliveryError where a folder holds what was delivered for none of these scenarios."""
    if earlier.said.scenario not in asked_for:
        asked = earlier.certificate.request
        raise DeliveryError(
            f"{earlier.folder} holds what was delivered for another request, or of other data, another network or "
            f"recipe: a request of kind {asked.kind}, {asked.images:,} of {asked.train_images:,} train images, "
            f"{earlier.certificate.made_at:%Y-%m-%d %H:%M} UTC. Nothing was run: name another folder with --out, or "
            "give the study another name"
        )


def _check_same_model(earlier: Earlier, wanted: Production) -> None:
    """Raise DeliveryError where a folder holds another model than is wanted."""
    there = earlier.certificate.models.delivered.fingerprint
    if there != wanted.model.fingerprint:
        raise DeliveryError(
            f"{earlier.folder} holds another model, {there} ({earlier.certificate.setting.row}), and this one is "
            f"{wanted.model.fingerprint} ({wanted.row}): name another folder with --out"
        )


def _check_people(earlier: Earlier, root: StorageRoot, requester: str | None, signer: str | None) -> None:
    """Raise DeliveryError where a delivery that is there is signed by, or for, somebody else than is asked for now."""
    certificate = earlier.certificate
    by = certificate.seal.public_key
    if signer is not None and signer != by:
        found = "is UNSIGNED" if by is None else f"is signed by another key, {by}"
    elif requester is not None and (same := names_requester(root, certificate, requester)) is not True:
        nobody = certificate.request.requester is None
        found = "names no requester" if nobody else "names another requester"
        found = f"names a requester that only other results can open (no opening in {root})" if same is None else found
    else:
        return
    raise DeliveryError(
        f"{earlier.folder} holds this model already, and its certificate {found}; a certificate that was given out is "
        "not rewritten: name another folder with --out"
    )


def _check_no_less_said(earlier: Earlier, requester: str | None, signer: str | None) -> None:
    """Raise DeliveryError where the certificate that takes an earlier one's place would say less of people than it."""
    made_with = {
        "--key": (earlier.certificate.seal.public_key, signer),
        "--requester": (earlier.certificate.request.requester, requester),
    }
    lacking = [option for option, (then, now) in made_with.items() if then is not None and now is None]
    if lacking:
        raise DeliveryError(
            f"{earlier.folder}: the study judges by other audits, seeds or margin than the certificate there, so "
            f"another one must be made; the one there was made with {' and '.join(lacking)}, so give that again"
        )


def _said_in(folder: Path) -> Said:
    try:
        return Said.model_validate(read_yaml((folder / SETTING).read_text(encoding="utf-8")))
    except (OSError, ValueError, YamlError) as error:
        raise DeliveryError(f"{folder} is no delivery of Lethe's: {SETTING}: {error}") from None

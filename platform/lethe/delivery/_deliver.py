"""Delivers what a study chose: makes and confirms the model, and writes the folder that leaves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
from torch import nn

from lethe.artifacts import ArtifactStore, GivenModel, UnlearnedModel
from lethe.delivery._choose import Chosen, DeliveryError
from lethe.delivery._delivered import Delivered
from lethe.delivery._earlier import Earlier, earlier_in, stays
from lethe.delivery._folder import LOAD, SETTING, setting_text, whole_folder, write_files
from lethe.delivery._produce import Producer
from lethe.delivery.certificate import CERTIFICATE, Certificate, write_certificate
from lethe.pipeline.plan import Plan
from lethe.pipeline.production import Production
from lethe.report import percent
from lethe.results import ConfirmationRow, Results, Store, to_rows
from lethe.results.json_column import json_column
from lethe.results.no_oracle import NO_ORACLE
from lethe.storage.documents import read_json
from lethe.storage.root import StorageRoot
from lethe.storage.signing import read_signing_key
from lethe.study import Study, StudyError, read_text
from lethe.versions import code_version, installed
from unlearning.checkpoints import written
from unlearning.data import ImageData
from unlearning.program import exported

FORMAT: Final = 1
"""Of `setting.yaml`; raised when its keys come to mean something else."""


@dataclass(frozen=True)
class Signed:
    """What a certificate says of people.

    Attributes:
        requester: who asked; only a commitment to it is written.
        key: file of the private key that signs.
    """

    requester: str | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Delivery:
    """A model that left, and what is known of it.

    Attributes:
        folder: with the weights, the program and the setting.
        new: whether it was written now, rather than found.
        replaced: an earlier delivery of this model that had the folder's name, whose certificate judges by other
            criteria than the study has now; it is beside the folder, under the name `Earlier.aside`.
        chosen: which row it is of, and why.
        row: of the model itself, in the table `confirmations`.
        certificate: what was tested and found, with the verdict.
        model: the recipe of the model; its `start` is the model that it was made from.
        notes: what to know, a sentence each.
    """

    folder: Path
    new: bool
    replaced: Earlier | None
    chosen: Chosen
    row: ConfirmationRow
    certificate: Certificate
    model: UnlearnedModel
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict of the certificate: no violation detected, violation, or inconclusive."""
        return self.certificate.verdict


def last_study(root: StorageRoot, name: str) -> Study:
    """Return a study as it was run last.

    Raises:
        DeliveryError: it was never run there.
        StudyError: this Lethe cannot read its specification.
    """
    known = Store(root).studies()
    if name not in known:
        raise DeliveryError(f"no study {name} was run in {root}; studies there: {', '.join(known) or 'none'}")
    found = Results(root, name).query(
        "select specification from studies semi join asked using (study, specification_id)"
    )["specification"]
    if not len(found):
        raise DeliveryError(f"{name}: it has no tables in {root} yet: `lethe run` it first")
    try:
        return read_text(found[0].as_py(), f"the study {name} as it was run last")
    except StudyError as error:
        raise StudyError(f"{error}\nDeliver it with its file: lethe forget STUDY.yaml") from error


def deliver_study(
    study: Study,
    root: StorageRoot,
    out: Path,
    *,
    method: str | None = None,
    scenario: str | None = None,
    address: str | None = None,
    signed: Signed | None = None,
    say: Callable[[str], None],
) -> Delivery:
    """Deliver what a study that was run chose, or find what it delivered before.

    Args:
        out: the folder, which is made; where it holds the same model already, nothing is written. Where the
            certificate there judges by other criteria than the study has now, that delivery is set aside and another
            one written.
        method: the row to deliver; None: the method with the smallest confirmed gap.
        scenario: the beginning of the fingerprint of its scenario, where the study has several.
        address: of a Ray cluster; None: this process.
        signed: what the certificate says of people; None: nobody asked and nobody signs.

    Raises:
        DeliveryError: there is nothing to deliver, or the folder holds something else, or the same model with a
            certificate for somebody else or of another signer, or another delivery took the folder's name meanwhile.
        InputError: the key cannot be read.
        InterruptedStudyError: it was stopped; the same call goes on.
        PurgedError: it would make again what was purged.
        CheckpointError: the model that is given cannot be read, or is not of the study's network.
        ExportError: the network cannot be exported as a program.
        DataError, StorageError, ClusterError: what the study needs is not available.
    """
    root, signed = root.prepared(), signed or Signed()
    signer = read_signing_key(signed.key).public if signed.key else None
    earlier_in(out)
    producer = Producer(study, root, say)
    with producer.writing():
        chosen, wanted, plan = producer.choose(method, scenario)
        earlier = earlier_in(out)
        found = earlier if earlier and stays(earlier, study, wanted, root, signed.requester, signer) else None
        if found is None or not producer.is_confirmed(wanted):
            producer.produce(plan, wanted, address)
        row = _confirmed(root, wanted)
        if found is None:
            say(f"Writing {out}.")
            certificate = _write(out, wanted, plan, row, root, signed, earlier)
        else:
            certificate = found.certificate
    notes = (*plan.original, *plan.withdrawn.notes, *_trained_elsewhere(root, wanted, chosen, _data_of(plan, wanted)))
    replaced = earlier if found is None else None
    return Delivery(out, found is None, replaced, chosen, row, certificate, wanted.model, notes)


def _data_of(plan: Plan, wanted: Production) -> ImageData:
    """Return the images of what is delivered."""
    [data] = [one for one in plan.shared if one.content_hash == wanted.scenario.data_hash]
    return data


def _trained_elsewhere(root: StorageRoot, wanted: Production, chosen: Chosen, data: ImageData) -> Iterator[str]:
    """Yield how a given model compares with those trained here: audits cannot tell the two causes apart."""
    if not isinstance(wanted.model.start, GivenModel) or not chosen.board.has_oracles:
        return
    manifest, here = ArtifactStore(root).manifest(wanted.model.start.key), chosen.board.original
    if manifest is None or here is None:
        return
    ours = "" if here.ta is None else f", that of originals trained here {percent(here.ta)} %"
    yield (
        f"The given model was trained elsewhere: its {chosen.board.score} on test is {percent(manifest.facts.ta)} %"
        f"{ours}. Audits hold it against models of the study's own recipe, so that another recipe counts as a "
        "difference, too."
    )
    yield from _no_better_than_one_answer(manifest.facts.ta, data)


def _no_better_than_one_answer(accuracy: float | None, data: ImageData) -> Iterator[str]:
    """Yield a caution where a given model is no better on test than its commonest class."""
    if accuracy is None or data.labelling.several:
        return
    commonest = float(data.test.labels_N.bincount().max()) / len(data.test)
    if accuracy <= commonest:
        yield (
            f"The given model is right no more often than one answer for every test image ({percent(commonest)} %): "
            "it is hardly run as it was trained. Check network.normalise, channels, network and labels; until then the "
            "verdict says nothing about the model in use."
        )


def _confirmed(root: StorageRoot, wanted: Production) -> ConfirmationRow:
    """Read what was measured of the model."""
    table = Store(root).read("confirmations", wanted.study)
    [row] = to_rows(table.filter(pc.equal(table["confirmation_id"], wanted.confirmation_id)), ConfirmationRow)
    return row


def _write(
    out: Path,
    wanted: Production,
    plan: Plan,
    row: ConfirmationRow,
    root: StorageRoot,
    signed: Signed,
    earlier: Earlier | None,
) -> Certificate:
    """Write the folder of a delivery in one step, and set an earlier one aside; return its certificate."""
    artifact = ArtifactStore(root).load(wanted.model.key, frozenset({"weights"}))
    if artifact is None:
        raise DeliveryError(
            f"the model {wanted.model.fingerprint} is gone from {root}; the same command makes it again"
        )
    scenario = wanted.scenario
    network = scenario.network.build(scenario.channels, scenario.classes, seed=0)
    network.load_state_dict(artifact.files["weights"])
    data = _data_of(plan, wanted)
    program, difference = exported(network, data.test.images_NCHW)
    files = {
        "weights.safetensors": written(network),
        "program.pt2": program,
        "load.py": LOAD.encode(),
        SETTING: setting_text(_said(plan.study, wanted, row, data, network, difference)),
    }
    with whole_folder(out, earlier.aside if earlier else None) as folder:
        hashes = write_files(folder, files)
        delivered = Delivered(root, plan.study, wanted.model, wanted.row, wanted.confirmation_id, folder, hashes)
        write_certificate(delivered, requester=signed.requester, key=signed.key)
        return read_json(Certificate, (folder / CERTIFICATE).read_bytes())


def _said(
    study: Study,
    wanted: Production,
    row: ConfirmationRow,
    data: ImageData,
    network: nn.Sequential,
    difference: float,
) -> dict[str, Any]:
    """Return what `setting.yaml` says: which model this is, what was done to which original, and by what code.

    The request is its kind alone: its label may name people, or the file of a list.
    """
    scenario, start = wanted.scenario, wanted.model.start
    return {
        "format": FORMAT,
        "study": wanted.study,
        "scenario": scenario.fingerprint,
        "dataset": scenario.dataset,
        "task": scenario.task,
        "classes": list(data.class_names),
        "image": list(data.test.images_NCHW.shape[1:]),
        "network": scenario.network_title,
        "normalise": _normalisation(network),
        "request": scenario.request.kind,
        "forget_images": row.forget_images,
        "row": wanted.row,
        "setting": json_column("setting", row.setting),
        "unlearning_seed": row.unlearning_seed,
        "model": wanted.model.fingerprint,
        "made_from": {"kind": start.kind, "fingerprint": start.fingerprint},
        "confirmation_id": wanted.confirmation_id,
        "gap": row.gap,
        **({} if row.gap is not None else {"why_no_gap": _why_no_gap(study)}),
        "compared_with_seeds": list(wanted.others),
        "program_difference": difference,
        "lethe_version": installed("lethe"),
        "code_version": code_version(),
        "torch_version": installed("torch"),
    }


def _why_no_gap(study: Study) -> str:
    if not study.has_oracles:
        return NO_ORACLE
    return "The study has no oracle of another reporting seed to hold this model against."


def _normalisation(network: nn.Sequential) -> dict[str, list[float]]:
    """Return mean and standard deviation of each channel, of images in [0, 1], that come before the user's network."""
    state = network.state_dict()
    return {name: state[f"0.{name}_1C11"].flatten().tolist() for name in ("mean", "std")}

"""Delivers what a study chose: makes and confirms the model, and writes the folder that leaves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc

from lethe.artifacts import ArtifactStore, GivenModel
from lethe.delivery._choose import Chosen, DeliveryError
from lethe.delivery._folder import LOAD, SETTING, delivered_before, setting_text, whole_folder, write_files
from lethe.delivery._produce import Producer
from lethe.pipeline.plan import Plan
from lethe.pipeline.production import Production
from lethe.report import percent
from lethe.results import ConfirmationRow, Results, Store, to_rows
from lethe.results.json_column import json_column
from lethe.results.views import ProductionVerdictRow
from lethe.storage.root import StorageRoot
from lethe.study import Study, StudyError, read_text
from lethe.versions import code_version, installed
from unlearning.checkpoints import written
from unlearning.data import ImageData
from unlearning.program import exported

FORMAT: Final = 1
"""Of `setting.yaml`; raised when its keys come to mean something else."""


@dataclass(frozen=True)
class Delivery:
    """A model that left, and what is known of it.

    Attributes:
        folder: with the weights, the program and the setting.
        new: whether it was written now, rather than found.
        chosen: which row it is of, and why.
        row: of the model itself, in the table `confirmations`.
        verdicts: what each audit says of it; none where the study asks for no audits.
        model: fingerprint of the model.
        start: kind and fingerprint of the model that it was made from.
        notes: what to know, a sentence each.
    """

    folder: Path
    new: bool
    chosen: Chosen
    row: ConfirmationRow
    verdicts: tuple[ProductionVerdictRow, ...]
    model: str
    start: tuple[str, str]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict of all audits: no violation detected, violation, or inconclusive."""
        return self.verdicts[0].overall if self.verdicts else "inconclusive"


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
    say: Callable[[str], None],
) -> Delivery:
    """Deliver what a study that was run chose, or find what it delivered before.

    Args:
        out: the folder, which is made; where it holds the same model already, nothing is written.
        method: the row to deliver; None: the method with the smallest confirmed gap.
        scenario: the beginning of the fingerprint of its scenario, where the study has several.
        address: of a Ray cluster; None: this process.

    Raises:
        DeliveryError: there is nothing to deliver, or the folder holds something else.
        InterruptedStudyError: it was stopped; the same call goes on.
        CheckpointError: the model that is given cannot be read, or is not of the study's network.
        ExportError: the network cannot be exported as a program.
        DataError, StorageError, ClusterError: what the study needs is not available.
    """
    root = root.prepared()
    before = delivered_before(out)
    chosen, wanted, plan = Producer(study, root, say).produce(method, scenario, address)
    if before is not None and before.model != wanted.model.fingerprint:
        raise DeliveryError(
            f"{out} holds another model, {before.model} ({before.confirmation_id}), and this one is "
            f"{wanted.model.fingerprint}: name another folder with --out"
        )
    row, verdicts = _confirmed(root, wanted)
    start = (wanted.model.start.kind, wanted.model.start.fingerprint)
    notes = (*plan.original, *_trained_elsewhere(root, wanted, chosen))
    found = Delivery(out, before is None, chosen, row, verdicts, wanted.model.fingerprint, start, notes)
    if before is None:
        say(f"Writing {out}.")
        _write(found, wanted, plan, root)
    return found


def _trained_elsewhere(root: StorageRoot, wanted: Production, chosen: Chosen) -> Iterator[str]:
    """Say how a given model compares with those that are trained here: the audits cannot tell the two causes apart."""
    manifest, here = ArtifactStore(root).manifest(wanted.model.start.key), chosen.board.original
    if not isinstance(wanted.model.start, GivenModel) or manifest is None or here is None:
        return
    ours = "" if here.ta is None else f", originals trained here {percent(here.ta)} %"
    yield (
        f"The given model was trained elsewhere: it is right on {percent(manifest.facts.ta)} % of the test images"
        f"{ours}. Audits hold it against models of the study's own recipe, so that another recipe counts as a "
        "difference, too."
    )


def _confirmed(root: StorageRoot, wanted: Production) -> tuple[ConfirmationRow, tuple[ProductionVerdictRow, ...]]:
    """Read what was measured of the model, and what its audits say."""
    results, name = Results(root, wanted.study), wanted.confirmation_id
    table = results.load("confirmations")
    [row] = to_rows(table.filter(pc.equal(table["confirmation_id"], name)), ConfirmationRow)
    verdicts = results.load("production_verdicts")
    return row, tuple(to_rows(verdicts.filter(pc.equal(verdicts["confirmation_id"], name)), ProductionVerdictRow))


def _write(found: Delivery, wanted: Production, plan: Plan, root: StorageRoot) -> None:
    """Write the folder of a delivery in one step."""
    artifact = ArtifactStore(root).load(wanted.model.key, frozenset({"weights"}))
    if artifact is None:
        raise DeliveryError(
            f"the model {wanted.model.fingerprint} is gone from {root}; the same command makes it again"
        )
    scenario = wanted.scenario
    network = scenario.network.build(scenario.channels, scenario.classes, seed=0)
    network.load_state_dict(artifact.files["weights"])
    [data] = [one for one in plan.shared if one.content_hash == scenario.data_hash]
    program, difference = exported(network, data.test.images_NCHW)
    files = {"weights.safetensors": written(network), "program.pt2": program, "load.py": LOAD.encode()}
    with whole_folder(found.folder) as folder:
        hashes = write_files(folder, files)
        said = _said(found, wanted, data, difference) | {"files": hashes}
        hashes |= write_files(folder, {SETTING: setting_text(said)})


def _said(found: Delivery, wanted: Production, data: ImageData, difference: float) -> dict[str, Any]:
    """Return what `setting.yaml` says: which model this is, what was done to which original, and by what code."""
    row, scenario = found.row, wanted.scenario
    kind, fingerprint = found.start
    return {
        "format": FORMAT,
        "study": wanted.study,
        "scenario": scenario.fingerprint,
        "dataset": scenario.dataset,
        "classes": list(data.class_names),
        "image": list(data.test.images_NCHW.shape[1:]),
        "network": scenario.network_title,
        "forget": scenario.request.label,
        "forget_images": row.forget_images,
        "row": wanted.row,
        "setting": json_column("setting", row.setting),
        "unlearning_seed": row.unlearning_seed,
        "model": found.model,
        "made_from": {"kind": kind, "fingerprint": fingerprint},
        "confirmation_id": wanted.confirmation_id,
        "verdict": found.verdict,
        "gap": row.gap,
        "noise_floor": found.chosen.line.noise_floor,
        "compared_with_seeds": list(wanted.others),
        "program_difference": difference,
        "lethe_version": installed("lethe"),
        "code_version": code_version(),
        "torch_version": installed("torch"),
    }

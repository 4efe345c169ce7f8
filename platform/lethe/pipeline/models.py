"""The unlearned models of confirmed rows: which there are, which of them are kept, and how one gets out."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import torch

from lethe.artifacts import (
    ArtifactKey,
    ArtifactStore,
    CorruptArtifactError,
    ReadingWorkshop,
    Tensors,
    UnlearnedModel,
)
from lethe.errors import InputError
from lethe.execution.shared_data import SharedData
from lethe.pipeline.plan import make_plan
from lethe.results import Results, Store
from lethe.results.json_column import json_column
from lethe.storage.root import StorageRoot
from lethe.study import Resources, Study, study_of
from unlearning.data import ImageData

LISTED: Final = 12
"""The most models that an error lists."""

_ROWS: Final = """
select study, scenario, dataset, augmentation, forget, row, training_seed as seed, gap, ua, ra, va, ta, mia, setting,
    model, original, oracle, task, confirmation_id, specification_id, device, cpus, gpus, lethe_version, torch_version
from confirmed where method not in ('original', 'oracle') and status = 'done'
order by study, scenario, row, seed
"""


@dataclass(frozen=True)
class ConfirmedModel:
    """The model of a confirmed row on one seed.

    Attributes:
        columns: of its confirmation.
        size_bytes: of its artifact; None where it is not kept.
        uri: where its artifact would be; None in results of an early version, whose rows do not name it.
    """

    columns: Mapping[str, Any]
    size_bytes: int | None
    uri: str | None

    @property
    def named(self) -> dict[str, Any]:
        """Return what tells it from others, how good it is, and where it is."""
        names = ("study", "scenario", "dataset", "augmentation", "forget", "row", "seed", "gap", "model")
        kept = {"kept": self.size_bytes is not None, "bytes": self.size_bytes, "where": self.uri}
        return {name: self.columns[name] for name in names} | kept

    @property
    def title(self) -> str:
        """How messages name it."""
        row, study, scenario, seed = (self.columns[name] for name in ("row", "study", "scenario", "seed"))
        return f"{row} of {study}, scenario {scenario[:8]}, seed {seed}"


@dataclass(frozen=True)
class Export:
    """A model as it leaves the results.

    Attributes:
        weights: by the network's own names.
        facts: what the model is, as JSON values.
        note: how it was made again, a sentence; empty where it was kept.
    """

    weights: Tensors
    facts: Mapping[str, Any]
    note: str


def confirmed_models(root: StorageRoot, study: str | None = None) -> list[ConfirmedModel]:
    """List the unlearned models of the tables, kept or not, of one study or of all.

    Raises:
        QueryError: no results there.
    """
    rows = Results(root, study).query(_ROWS).to_pylist()
    artifacts = ArtifactStore(root, keep=False)
    with ThreadPoolExecutor(root.parallel_reads) as threads:
        return list(threads.map(lambda row: _located(artifacts, row), rows))


def only(models: Sequence[ConfirmedModel], wanted: Mapping[str, object]) -> ConfirmedModel:
    """Return the one model that has these columns; a text is the beginning of a fingerprint, or the whole of a name.

    Args:
        wanted: by the name of the column; None where any value will do.

    Raises:
        InputError: none has them, or several do; the message lists those.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = [one for one in models if all(_fits(name, one.columns[name], value) for name, value in asked.items())]
    if len(found) == 1:
        return found[0]
    what = ", ".join(f"{name} {value}" for name, value in asked.items())
    listed = [f"{one.title} ({one.columns['model'] or 'fingerprint unknown'})" for one in found or models]
    more = f"; and {len(listed) - LISTED} more (`lethe models list`)" if len(listed) > LISTED else ""
    raise InputError(
        f"{'several models have' if found else 'no confirmed model has'} {what}; there are: "
        f"{'; '.join(listed[:LISTED]) or 'none'}{more}"
    )


def exported(root: StorageRoot, model: ConfirmedModel) -> Export:
    """Read a model that is kept; make one that is not again, in this process, from what its row says.

    Raises:
        InputError: its row is of a version that makes another model, or does not say enough.
        DataError: it must be made again, and its data is not on this machine.
        StorageError: it is broken, or what it would be made from is not there.
    """
    artifacts, study = ArtifactStore(root), _study_of(root, model)
    if model.size_bytes is not None:
        artifact = artifacts.load(_key(model.columns["model"]))
        if artifact is not None:
            return _export(model, model.columns["model"], study, artifact.files, note="")
    recipe, shared = _recipe_of(root, artifacts, model, study)
    gpus = model.columns["gpus"] if model.columns["gpus"] and torch.cuda.is_available() else 0.0
    workshop = ReadingWorkshop(artifacts, SharedData(shared), Resources(cpu=model.columns["cpus"] or 1.0, gpu=gpus))
    files = workshop.make(recipe).files
    note = f"{model.title}: its model was not kept, so it was made again on {workshop.device.type}"
    if _kind_of(model.columns["device"]) != workshop.device.type:
        note += f"; the row's was made on {model.columns['device']}, so their last digits differ"
    return _export(model, recipe.fingerprint, study, files, note=f"{note}.")


def _located(artifacts: ArtifactStore, row: dict[str, Any]) -> ConfirmedModel:
    if row["model"] is None:
        return ConfirmedModel(row, None, None)
    key = _key(row["model"])
    try:
        manifest = artifacts.check(key)
    except CorruptArtifactError:
        manifest = None
    return ConfirmedModel(row, manifest.size_bytes if manifest else None, artifacts.uri(key))


def _fits(name: str, value: Any, wanted: object) -> bool:
    return str(value or "").startswith(str(wanted)) if name in ("model", "scenario") else value == wanted


def _study_of(root: StorageRoot, model: ConfirmedModel) -> Study:
    """Read the study as it was run."""
    name, wanted = model.columns["study"], model.columns["specification_id"]
    for row in Store(root).read("studies", name).to_pylist():
        if row["specification_id"] == wanted:
            return study_of(row["specification"])
    raise InputError(
        f"{model.title}: these results are of a version that did not record the study; run it again, which records it"
    )


def _recipe_of(
    root: StorageRoot, artifacts: ArtifactStore, model: ConfirmedModel, study: Study
) -> tuple[UnlearnedModel, tuple[ImageData, ...]]:
    """Return the recipe of a row's model, and the data that it is made with."""
    plan = make_plan(study, artifacts, Store(root), download=False)
    name = model.columns["confirmation_id"]
    recipe = next((one.unlearned for one in plan.wanted if one.confirmation_id == name), None)
    if recipe is None or model.columns["model"] not in (None, recipe.fingerprint):
        raise InputError(
            f"{model.title}: its model was not kept, and this version, or this data, makes another one; `lethe run` "
            "on the study's file confirms the row anew"
        )
    return recipe, plan.shared


def _export(model: ConfirmedModel, fingerprint: str, study: Study, files: Mapping[str, Tensors], note: str) -> Export:
    columns = model.columns
    shared = ("study", "scenario", "dataset", "augmentation", "forget", "row", "seed", "confirmation_id")
    facts = {
        "model": fingerprint,
        **{name: columns[name] for name in shared},
        "setting": json_column("setting", columns["setting"]),
        "network": study.network.model_dump(mode="json"),
        "channels": files["weights"]["0.mean_1C11"].shape[1],
        "classes": files["logits"]["test"].shape[1],
        "task": columns["task"],
        **{name: columns[name] for name in ("ua", "ra", "va", "ta", "mia", "gap", "original", "oracle")},
        **{name: columns[name] for name in ("device", "lethe_version", "torch_version")},
        "made": note or "with the row, and kept",
    }
    return Export(files["weights"], facts, note)


def _kind_of(device: str) -> str:
    """Return the kind of a row's device, such as ``cpu`` of ``cpu: Xeon``."""
    return device.partition(":")[0]


def _key(model: str) -> ArtifactKey:
    return ArtifactKey(UnlearnedModel.kind, model)

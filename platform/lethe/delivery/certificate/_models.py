"""The models of a certificate: their hashes, how the delivered one was made, and with which code."""

from lethe.artifacts import ArtifactStore, Manifest, Model
from lethe.delivery._delivered import Delivered, ancestors
from lethe.delivery.certificate._document import CodeSection, ModelEntry, ModelsSection, SettingSection
from lethe.errors import InputError
from lethe.plugins import packages_of
from lethe.results.purges import read_purges
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot
from lethe.storage.tensors import Tensors, tensors_in, tensors_of

WEIGHTS = ".safetensors"


def models_section(delivered: Delivered) -> ModelsSection:
    """Return the hashes of original and delivered model, and of those between them.

    Raises:
        InputError: a delivered file of weights holds a tensor that the delivered model has not.
        CorruptArtifactError, MalformedError: a model is not what was written.
    """
    root, model = delivered.root, delivered.model
    chain = list(ancestors(model))
    manifest, tensors = _read(root, model)
    files = {name: tensors_of(delivered.folder / name) for name in delivered.files if name.endswith(WEIGHTS)}
    for name, held in files.items():
        if strangers := held.values - tensors.values:
            raise InputError(
                f"{delivered.folder / name}: {len(strangers)} of its {held.count} tensors are none of the model "
                f"{model.fingerprint} that the certificate is for"
            )
    return ModelsSection(
        original=_entry(root, chain[-1]),
        between=[_entry(root, one) for one in reversed(chain[:-1])],
        delivered=_as_entry(model, manifest, tensors),
        delivered_files={name: held.sha256 for name, held in files.items()},
        unlearned_at=manifest.facts.ended_at,
    )


def setting_section(delivered: Delivered) -> SettingSection:
    """Return how the model was made."""
    model, scenario = delivered.model, delivered.model.scenario
    return SettingSection(
        study=delivered.study.name,
        row=delivered.row,
        method=model.method.name,
        method_version=model.method.version,
        options=model.method.model_dump(mode="json", exclude={"name"}),
        stop_after=model.stop_after,
        rewinds=model.rewinds,
        network=scenario.network_title,
        augmentation=scenario.augmentation,
        precision=scenario.recipe.precision,
    )


def code_section(delivered: Delivered) -> CodeSection:
    """Return the code that made the delivered model, as its manifest says, and the plug-ins of the study."""
    facts = _manifest(ArtifactStore(delivered.root, keep=False), delivered.model).facts
    return CodeSection(
        lethe=facts.lethe_version,
        revision=facts.code_version,
        python=facts.python_version,
        torch=facts.torch_version,
        packages=[str(package) for package in packages_of(delivered.study)],
    )


def _entry(root: StorageRoot, model: Model) -> ModelEntry:
    """Return the hashes of a model; of one that was purged, those that the record has."""
    if ArtifactStore(root, keep=False).manifest(model.key) is None and (purged := _purged(root, model)):
        return ModelEntry(
            kind=model.kind,
            fingerprint=model.fingerprint,
            weights_sha256=purged,
            tensors_sha256=None,
            tensors=None,
            numbers=None,
        )
    return _as_entry(model, *_read(root, model))


def _purged(root: StorageRoot, model: Model) -> str | None:
    """Return the hash of the weights of a purged model; None where no record has it."""
    for found in read_purges(root):
        for removed in found.record.removed:
            if removed.fingerprint == model.fingerprint:
                return next((sha256 for file, sha256 in removed.sha256.items() if file.startswith("weights-")), None)
    return None


def _as_entry(model: Model, manifest: Manifest, tensors: Tensors) -> ModelEntry:
    return ModelEntry(
        kind=model.kind,
        fingerprint=model.fingerprint,
        weights_sha256=manifest.files["weights"].sha256,
        tensors_sha256=tensors.sha256,
        tensors=tensors.count,
        numbers=tensors.numbers,
    )


def _read(root: StorageRoot, model: Model) -> tuple[Manifest, Tensors]:
    store = ArtifactStore(root, keep=False)
    store.verify(model.key)
    manifest = _manifest(store, model)
    content = Layout(root).artifact(model.kind, model.fingerprint).read(manifest.files["weights"].file)
    return manifest, tensors_in(content)


def _manifest(store: ArtifactStore, model: Model) -> Manifest:
    manifest = store.manifest(model.key)
    if manifest is None:
        raise InputError(f"the model {model.fingerprint} ({model.kind}) is not in {store.root}")
    return manifest

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lethe.artifacts import (
    ArtifactKey,
    ArtifactRecipe,
    ArtifactStore,
    CorruptArtifactError,
    Facts,
    Product,
    Workshop,
)
from lethe.errors import SchemaError
from lethe.storage.hashing import digest
from lethe.storage.root import StorageRoot


class Model(ArtifactRecipe):
    """The recipe of a trained model that nobody trains: what it holds is given."""

    kind, version, files = "trained_model", 3, frozenset({"weights", "logits"})

    def __init__(self, **inputs: object) -> None:
        self._inputs = inputs

    @property
    def inputs(self) -> dict[str, object]:
        return self._inputs

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        raise AssertionError("never made")
        yield


RECIPE = Model(data="0123", training_seed=7)
KEY = RECIPE.key
FACTS = Facts(
    seconds_train=1.5,
    seconds_total=2.5,
    images_trained=200,
    epochs=2,
    loss=0.25,
    started_at=datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC),
    ended_at=datetime(2026, 11, 23, 9, 31, tzinfo=UTC),
    device="cpu",
    worker="here:1",
    node="here",
    lethe_version="0.1.0",
    python_version="3.11.7",
    torch_version="2.13.0",
)


def files(value: float = 1.0) -> dict[str, dict[str, Tensor]]:
    """Weights of several kinds, one laid out with channels last, and logits."""
    images_NCHW = torch.arange(48.0).view(2, 2, 3, 4) * value
    return {
        "weights": {
            "conv.weight": images_NCHW.contiguous(memory_format=torch.channels_last),
            "norm.num_batches_tracked": torch.tensor(3),
            "frozen": torch.tensor([True, False]),
        },
        "logits": {"train": torch.tensor([[value, -0.0], [1e-40, 3.0]])},
    }


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(StorageRoot.at(tmp_path))


def folder(artifacts: ArtifactStore, key: ArtifactKey = KEY) -> Path:
    return Path(artifacts.uri(key))


def file_of(artifacts: ArtifactStore, name: str) -> Path:
    """The file that the manifest says holds these tensors."""
    manifest = artifacts.manifest(KEY)
    assert manifest is not None
    return folder(artifacts) / manifest.files[name].file


def checkpoint_files(artifacts: ArtifactStore) -> list[Path]:
    return sorted(path for path in folder(artifacts).parents[1].glob("checkpoints/*/*") if path.is_file())


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [flip_a_byte, cut_short, empty, Path.unlink]


def reseal(artifacts: ArtifactStore, drop: str = "", **changes: object) -> None:
    """Changes what a manifest says, and its own checksum with it, as only a program would."""
    path = folder(artifacts) / "manifest.json"
    said = json.loads(path.read_text()) | changes
    said = {name: value for name, value in said.items() if name not in ("sha256", drop)}
    said["sha256"] = digest(json.dumps(said, sort_keys=True).encode())
    path.write_text(json.dumps(said), encoding="utf-8")


def exists(artifacts: ArtifactStore, key: ArtifactKey) -> bool:
    """All ways of asking agree."""
    (answer,) = {
        read(key) is not None for read in (artifacts.manifest, artifacts.check, artifacts.verify, artifacts.load)
    }
    return answer


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(
        ours[name].dtype == theirs[name].dtype and torch.equal(ours[name], theirs[name]) for name in ours
    )


def test_what_is_saved_is_loaded_bit_by_bit_by_any_pool_of_the_place(artifacts: ArtifactStore, tmp_path: Path) -> None:
    saved = artifacts.save(RECIPE, files(), FACTS)
    loaded = ArtifactStore(StorageRoot.at(tmp_path)).load(KEY)
    assert loaded is not None
    assert loaded.manifest == saved
    assert loaded.files.keys() == files().keys()
    assert all(same(loaded.files[name], tensors) for name, tensors in files().items())
    assert loaded.files["logits"]["train"].signbit().any()


def test_a_manifest_tells_inputs_facts_sizes_and_checksums(artifacts: ArtifactStore) -> None:
    manifest = artifacts.save(RECIPE, files(), FACTS)
    assert manifest == artifacts.manifest(KEY) == artifacts.check(KEY) == artifacts.verify(KEY)
    assert (manifest.kind, manifest.version, manifest.fingerprint) == (KEY.kind, 3, KEY.fingerprint)
    assert (manifest.inputs, manifest.requires, manifest.facts) == (RECIPE.inputs, {}, FACTS)
    for entry in manifest.files.values():
        content = (folder(artifacts) / entry.file).read_bytes()
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert entry.size_bytes == len(content)
    assert manifest.size_bytes == sum(path.stat().st_size for path in folder(artifacts).glob("*.safetensors"))


def test_artifacts_of_other_inputs_or_kinds_do_not_exist(artifacts: ArtifactStore) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    for other in (Model(data="0123", training_seed=8).key, ArtifactKey("saliency", KEY.fingerprint)):
        assert not exists(artifacts, other)


def test_without_its_manifest_an_artifact_does_not_exist(artifacts: ArtifactStore) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    (folder(artifacts) / "manifest.json").unlink()
    assert not exists(artifacts, KEY)
    artifacts.save(RECIPE, files(2.0), FACTS)
    loaded = artifacts.load(KEY)
    assert loaded is not None
    assert same(loaded.files["logits"], files(2.0)["logits"])


def test_a_save_that_fails_at_its_manifest_leaves_no_artifact(artifacts: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        artifacts.save(RECIPE, files(), FACTS.model_copy(update={"loss": float("nan")}))
    assert list(folder(artifacts).glob("*.safetensors"))
    assert artifacts.load(KEY) is None


@pytest.mark.parametrize("name", ["weights", "logits"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_found_and_named(artifacts: ArtifactStore, damage: Callable[[Path], None], name: str) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    path = file_of(artifacts, name)
    damage(path)
    for read in (artifacts.load, artifacts.verify):
        with pytest.raises(CorruptArtifactError) as caught:
            read(KEY)
        assert str(folder(artifacts)) in str(caught.value)
        assert path.name in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda manifest: "{",
        lambda manifest: "",
        lambda manifest: json.dumps({**manifest, "format": manifest["format"] + 1}),
        lambda manifest: json.dumps({**manifest, "fingerprint": "another"}),
        lambda manifest: json.dumps({**manifest, "facts": {**manifest["facts"], "seconds_train": 1.6}}),
        lambda manifest: json.dumps({**manifest, "files": {}}),
        lambda manifest: json.dumps([manifest]),
    ],
    ids=["cut short", "empty", "altered format", "renamed", "altered facts", "forgotten files", "no mapping"],
)
def test_a_broken_manifest_is_found_and_named(artifacts: ArtifactStore, spoil: Callable[[dict[str, Any]], str]) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    path = folder(artifacts) / "manifest.json"
    path.write_text(spoil(json.loads(path.read_text())), encoding="utf-8")
    for read in (artifacts.manifest, artifacts.load, artifacts.check, artifacts.verify):
        with pytest.raises(CorruptArtifactError, match=r"manifest\.json") as caught:
            read(KEY)
        assert str(folder(artifacts)) in str(caught.value)


HOSTILE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "binary": b"\xff\xfe\x00",
    "nested": b"[" * 100_000,
    "nested and whole": b"[" * 100_000 + b"]" * 100_000,
    "nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "huge number": b'{"format": ' + b"1" * 5000 + b"}",
    "infinite": b'{"format": 1e999}',
    "half a surrogate": b'{"format": "\\ud800"}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_whatever_stands_in_a_manifests_place_is_an_artifact_that_is_corrupt(
    artifacts: ArtifactStore, content: bytes
) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    (folder(artifacts) / "manifest.json").write_bytes(content)
    check_is_set_aside(artifacts)


ENTRY = {"file": "weights-00000000.safetensors", "sha256": "0" * 64, "size_bytes": 10}


@pytest.mark.parametrize(
    "changes",
    [
        {"drop": "files"},
        {"drop": "format"},
        {"drop": "facts"},
        {"drop": "inputs"},
        {"files": []},
        {"files": {}},
        {"files": None},
        {"files": {"weights": ENTRY}},
        {"files": {"weights": ENTRY, "logits": "x"}},
        {"files": {"weights": ENTRY, "logits": ENTRY | {"file": "../../other.safetensors"}}},
        {"files": {"weights": ENTRY, "logits": ENTRY | {"sha256": "../../etc/passwd"}}},
        {"files": {"weights": ENTRY, "logits": ENTRY | {"size_bytes": "10"}}},
        {"files": {"weights": ENTRY, "logits": ENTRY | {"size_bytes": -1}}},
        {"format": "2"},
        {"version": "3"},
        {"requires": {"model": 1}},
        {"format": None},
        {"format": True},
        {"format": 1.5},
        {"format": -1},
        {"kind": "saliency"},
        {"inputs": []},
        {"facts": []},
        {"facts": {}},
        {"facts": json.loads(FACTS.model_dump_json()) | {"seconds_train": "1.5"}},
        {"facts": json.loads(FACTS.model_dump_json()) | {"epochs": 10**30}},
        {"facts": json.loads(FACTS.model_dump_json()) | {"started_at": "yesterday"}},
        {"facts": json.loads(FACTS.model_dump_json()) | {"started_at": "2026-11-23T09:30:00"}},
    ],
    ids=str,
)
def test_a_manifest_that_says_what_none_says_is_an_artifact_that_is_corrupt(
    artifacts: ArtifactStore, changes: dict[str, Any]
) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    reseal(artifacts, **changes)
    check_is_set_aside(artifacts)


def make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def make_huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(3 << 30)


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


NO_FILES = [make_a_pipe, link_to_a_device, make_huge, make_a_folder]


@pytest.mark.parametrize("name", ["manifest.json", "weights-*.safetensors"])
@pytest.mark.parametrize("damage", NO_FILES)
def test_what_is_no_file_of_an_artifact_is_not_read(
    artifacts: ArtifactStore, damage: Callable[[Path], None], name: str
) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    [path] = folder(artifacts).glob(name)
    damage(path)
    check_is_set_aside(artifacts, path.name, [artifacts.load, artifacts.check, artifacts.verify])


def check_is_set_aside(
    artifacts: ArtifactStore,
    name: str = "manifest.json",
    reads: Sequence[Callable[[ArtifactKey], object]] | None = None,
) -> None:
    """Every reader refuses the artifact and names it and the file; then it can be moved away and made again."""
    for read in reads or (artifacts.manifest, artifacts.load, artifacts.check, artifacts.verify):
        with pytest.raises(CorruptArtifactError) as caught:
            read(KEY)
        assert str(folder(artifacts)) in str(caught.value)
        assert name in str(caught.value)
    artifacts.quarantine(KEY)
    artifacts.save(RECIPE, files(), FACTS)
    assert artifacts.verify(KEY) is not None


def test_a_manifest_of_before_is_read_without_the_facts_that_it_lacks_and_a_later_one_without_what_it_adds(
    artifacts: ArtifactStore,
) -> None:
    """Accuracies, cores and code version were added later; all else is as the first version wrote it."""
    artifacts.save(RECIPE, files(), FACTS)
    first = json.loads(FACTS.model_dump_json(exclude_none=True)) | {
        "started_at": "2026-11-23T09:30:00.123456+00:00",
        "ended_at": "2026-11-23T09:31:00+00:00",
        "of a later version": [1],
    }
    reseal(artifacts, facts=first, new="a later version's")
    manifest = artifacts.verify(KEY)
    assert manifest is not None
    assert manifest.facts == FACTS


def test_an_artifact_of_the_first_format_is_not_used_and_not_taken_for_damage(artifacts: ArtifactStore) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    reseal(artifacts, drop="version", format=1, kind="original")
    assert not exists(artifacts, KEY)
    artifacts.save(RECIPE, files(2.0), FACTS)
    loaded = artifacts.load(KEY)
    assert loaded is not None
    assert same(loaded.files["logits"], files(2.0)["logits"])


def test_an_artifact_of_a_kind_that_this_lethe_does_not_know_is_read(artifacts: ArtifactStore) -> None:
    class Letter(Model):
        kind = "letter"

    recipe = Letter(to="you")
    artifacts.save(recipe, {"text": {"a": torch.ones(1)}}, FACTS)
    assert exists(artifacts, recipe.key)


def test_sizes_are_checked_without_reading_and_bytes_when_they_are_read(artifacts: ArtifactStore) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    flip_a_byte(file_of(artifacts, "weights"))
    assert artifacts.check(KEY) is not None
    with pytest.raises(CorruptArtifactError, match="another checksum"):
        artifacts.load(KEY)


@pytest.mark.parametrize("damage", [cut_short, empty, Path.unlink])
def test_a_truncated_or_missing_file_is_seen_by_its_size(
    artifacts: ArtifactStore, damage: Callable[[Path], None]
) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    path = file_of(artifacts, "weights")
    damage(path)
    with pytest.raises(CorruptArtifactError, match=rf"{path.name} (is missing|has \d+ bytes, its manifest promises)"):
        artifacts.check(KEY)


def test_a_manifest_of_a_newer_format_is_refused_with_what_to_do_and_is_not_taken_for_damage(
    artifacts: ArtifactStore,
) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    reseal(artifacts, format=3, files={"in another way": True}, new=None)
    for read in (artifacts.manifest, artifacts.load, artifacts.verify):
        with pytest.raises(SchemaError, match=r"manifest\.json: it has format 3.*up to 2\. Upgrade lethe"):
            read(KEY)


def test_an_artifact_under_the_name_of_another_is_found_and_named(artifacts: ArtifactStore) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    other = Model(data="0123", training_seed=8).key
    shutil.copytree(folder(artifacts), folder(artifacts, other))
    with pytest.raises(CorruptArtifactError, match=f"another artifact, {KEY.fingerprint}"):
        artifacts.verify(other)


def test_a_broken_artifact_is_moved_aside_whole_and_can_be_made_again(artifacts: ArtifactStore, tmp_path: Path) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    flip_a_byte(file_of(artifacts, "weights"))
    before = {path.name: path.read_bytes() for path in folder(artifacts).iterdir()}
    aside = Path(artifacts.quarantine(KEY))
    assert aside.is_relative_to(tmp_path)
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == before
    assert artifacts.load(KEY) is None
    artifacts.save(RECIPE, files(), FACTS)
    assert artifacts.verify(KEY) is not None


def test_what_was_set_aside_twice_is_kept_twice(artifacts: ArtifactStore) -> None:
    asides = []
    for value in (1.0, 2.0):
        artifacts.save(RECIPE, files(value), FACTS)
        asides.append(Path(artifacts.quarantine(KEY)))
    assert asides[0] != asides[1]
    assert all((aside / "manifest.json").exists() for aside in asides)


def test_the_first_of_two_that_save_wins_and_the_other_leaves_nothing_behind(artifacts: ArtifactStore) -> None:
    first = artifacts.save(RECIPE, files(1.0), FACTS)
    names = sorted(path.name for path in folder(artifacts).iterdir())
    assert artifacts.save(RECIPE, files(2.0), FACTS.model_copy(update={"epochs": 9})) == first
    assert sorted(path.name for path in folder(artifacts).iterdir()) == names
    loaded = artifacts.load(KEY)
    assert loaded is not None
    assert same(loaded.files["logits"], files(1.0)["logits"])


def test_a_checkpoint_comes_back_bit_by_bit(artifacts: ArtifactStore) -> None:
    state = {"epoch": torch.tensor(1), "model/weight": torch.tensor([0.1, -0.0])}
    assert artifacts.checkpoint(KEY) is None
    artifacts.save_checkpoint(KEY, state)
    read = artifacts.checkpoint(KEY)
    assert read is not None
    assert same(read, state)
    assert artifacts.load(KEY) is None


def test_a_checkpoint_that_another_process_replaces_meanwhile_is_no_error(artifacts: ArtifactStore) -> None:
    """Two studies without Ray may make one model at once."""
    states = [{"epoch": torch.tensor(epoch)} for epoch in range(100)]
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(lambda: [artifacts.save_checkpoint(KEY, state) for state in states])
        while not written.done():
            found = artifacts.checkpoint(KEY)
            assert found is None or int(found["epoch"]) in range(100)
        written.result()
    last = artifacts.checkpoint(KEY)
    assert last is not None
    assert int(last["epoch"]) == 99


def test_a_new_checkpoint_takes_the_place_of_the_old_one(artifacts: ArtifactStore) -> None:
    for epoch in (1, 2, 2, 3):
        artifacts.save_checkpoint(KEY, {"epoch": torch.tensor(epoch)})
    read = artifacts.checkpoint(KEY)
    assert read is not None
    assert int(read["epoch"]) == 3
    assert len(checkpoint_files(artifacts)) == 1


def of_another_name(path: Path) -> None:
    """The checksum in the name is right, and there are no tensors."""
    path.unlink()
    path.with_name(f"{digest(b'x')[:32]}.safetensors").write_bytes(b"x")


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, empty, of_another_name])
def test_a_damaged_checkpoint_is_dropped(artifacts: ArtifactStore, damage: Callable[[Path], None]) -> None:
    artifacts.save_checkpoint(KEY, {"epoch": torch.tensor(1)})
    (path,) = checkpoint_files(artifacts)
    damage(path)
    assert artifacts.checkpoint(KEY) is None
    assert not checkpoint_files(artifacts)


def test_an_artifact_that_is_saved_drops_its_own_checkpoint_alone(artifacts: ArtifactStore) -> None:
    other = Model(data="0123", training_seed=8).key
    for key in (KEY, other):
        artifacts.save_checkpoint(key, {"epoch": torch.tensor(1)})
    artifacts.save(RECIPE, files(), FACTS)
    assert artifacts.checkpoint(KEY) is None
    assert artifacts.checkpoint(other) is not None


def test_only_the_files_that_are_asked_for_are_read(artifacts: ArtifactStore) -> None:
    artifacts.save(RECIPE, files(), FACTS)
    file_of(artifacts, "weights").write_bytes(b"torn")
    read = artifacts.load(KEY, {"logits"})
    assert read is not None
    assert read.files.keys() == {"logits"}
    assert torch.equal(read.files["logits"]["train"], files()["logits"]["train"])
    with pytest.raises(CorruptArtifactError):
        artifacts.load(KEY)

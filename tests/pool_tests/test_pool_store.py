import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lethe.fingerprint import digest
from lethe.place import Place
from lethe.pool import CorruptArtefactError, Pool
from lethe.study import ArtefactKey
from lethe.versions import SchemaError

KEY = ArtefactKey("original", {"data": "0123", "training_seed": 7})
FACTS = {"seconds_train": 1.5, "epochs": 2, "ua": None}


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
def pool(tmp_path: Path) -> Pool:
    return Pool(Place.at(tmp_path))


def folder(pool: Pool, key: ArtefactKey = KEY) -> Path:
    return Path(pool.uri(key))


def file_of(pool: Pool, name: str) -> Path:
    """The file that the manifest says holds these tensors."""
    manifest = pool.manifest(KEY)
    assert manifest is not None
    return folder(pool) / str(manifest["files"][name]["file"])


def checkpoint_files(pool: Pool) -> list[Path]:
    return sorted(path for path in folder(pool).parents[1].glob("checkpoints/*/*") if path.is_file())


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [flip_a_byte, cut_short, empty, Path.unlink]


def exists(pool: Pool, key: ArtefactKey) -> bool:
    """All ways of asking agree."""
    (answer,) = {read(key) is not None for read in (pool.manifest, pool.verify, pool.load)}
    return answer


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(
        ours[name].dtype == theirs[name].dtype and torch.equal(ours[name], theirs[name]) for name in ours
    )


def test_what_is_saved_is_loaded_bit_by_bit_by_any_pool_of_the_place(pool: Pool, tmp_path: Path) -> None:
    saved = pool.save(KEY, files(), FACTS)
    loaded = Pool(Place.at(tmp_path)).load(KEY)
    assert loaded is not None
    assert loaded.manifest == saved
    assert loaded.files.keys() == files().keys()
    assert all(same(loaded.files[name], tensors) for name, tensors in files().items())
    assert loaded.files["logits"]["train"].signbit().any()


def test_a_manifest_tells_inputs_facts_sizes_and_checksums(pool: Pool) -> None:
    manifest = pool.save(KEY, files(), FACTS)
    assert manifest == pool.manifest(KEY) == pool.verify(KEY)
    assert (manifest["kind"], manifest["fingerprint"]) == (KEY.kind, KEY.fingerprint)
    assert (manifest["inputs"], manifest["facts"]) == (dict(KEY.inputs), FACTS)
    for entry in manifest["files"].values():
        content = (folder(pool) / entry["file"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["size_bytes"] == len(content)
    assert pool.size_bytes(manifest) == sum(path.stat().st_size for path in folder(pool).glob("*.safetensors"))


def test_artefacts_of_other_inputs_or_kinds_do_not_exist(pool: Pool) -> None:
    pool.save(KEY, files(), FACTS)
    for other in (ArtefactKey("original", {**KEY.inputs, "training_seed": 8}), ArtefactKey("oracle", KEY.inputs)):
        assert not exists(pool, other)


def test_without_its_manifest_an_artefact_does_not_exist(pool: Pool) -> None:
    pool.save(KEY, files(), FACTS)
    (folder(pool) / "manifest.json").unlink()
    assert not exists(pool, KEY)
    pool.save(KEY, files(2.0), FACTS)
    loaded = pool.load(KEY)
    assert loaded is not None
    assert same(loaded.files["logits"], files(2.0)["logits"])


def test_a_save_that_fails_at_its_manifest_leaves_no_artefact(pool: Pool) -> None:
    with pytest.raises(ValueError, match="JSON"):
        pool.save(KEY, files(), {"loss": float("nan")})
    assert list(folder(pool).glob("*.safetensors"))
    assert pool.load(KEY) is None


@pytest.mark.parametrize("name", ["weights", "logits"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_found_and_named(pool: Pool, damage: Callable[[Path], None], name: str) -> None:
    pool.save(KEY, files(), FACTS)
    path = file_of(pool, name)
    damage(path)
    for read in (pool.load, pool.verify):
        with pytest.raises(CorruptArtefactError) as caught:
            read(KEY)
        assert str(folder(pool)) in str(caught.value)
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
def test_a_broken_manifest_is_found_and_named(pool: Pool, spoil: Callable[[dict[str, Any]], str]) -> None:
    manifest = pool.save(KEY, files(), FACTS)
    (folder(pool) / "manifest.json").write_text(spoil(manifest), encoding="utf-8")
    for read in (pool.manifest, pool.load, pool.verify):
        with pytest.raises(CorruptArtefactError, match=r"manifest\.json") as caught:
            read(KEY)
        assert str(folder(pool)) in str(caught.value)


def test_a_manifest_of_a_newer_format_is_refused_with_what_to_do_and_is_not_taken_for_damage(pool: Pool) -> None:
    manifest = pool.save(KEY, files(), FACTS)
    newer = {name: value for name, value in manifest.items() if name != "sha256"} | {"format": manifest["format"] + 1}
    newer["sha256"] = digest(json.dumps(newer, sort_keys=True).encode())
    (folder(pool) / "manifest.json").write_text(json.dumps(newer), encoding="utf-8")
    for read in (pool.manifest, pool.load, pool.verify):
        with pytest.raises(SchemaError, match=r"manifest\.json: it has format 2.*up to 1\. Upgrade lethe"):
            read(KEY)


def test_an_artefact_under_the_name_of_another_is_found_and_named(pool: Pool) -> None:
    pool.save(KEY, files(), FACTS)
    other = ArtefactKey("original", {**KEY.inputs, "training_seed": 8})
    shutil.copytree(folder(pool), folder(pool, other))
    with pytest.raises(CorruptArtefactError, match=f"another artefact, {KEY.fingerprint}"):
        pool.verify(other)


def test_a_broken_artefact_is_moved_aside_whole_and_can_be_made_again(pool: Pool, tmp_path: Path) -> None:
    pool.save(KEY, files(), FACTS)
    flip_a_byte(file_of(pool, "weights"))
    before = {path.name: path.read_bytes() for path in folder(pool).iterdir()}
    aside = Path(pool.set_aside(KEY))
    assert aside.is_relative_to(tmp_path)
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == before
    assert pool.load(KEY) is None
    pool.save(KEY, files(), FACTS)
    assert pool.verify(KEY) is not None


def test_what_was_set_aside_twice_is_kept_twice(pool: Pool) -> None:
    asides = []
    for value in (1.0, 2.0):
        pool.save(KEY, files(value), FACTS)
        asides.append(Path(pool.set_aside(KEY)))
    assert asides[0] != asides[1]
    assert all((aside / "manifest.json").exists() for aside in asides)


def test_the_first_of_two_that_save_wins_and_the_other_leaves_nothing_behind(pool: Pool) -> None:
    first = pool.save(KEY, files(1.0), FACTS)
    names = sorted(path.name for path in folder(pool).iterdir())
    assert pool.save(KEY, files(2.0), {**FACTS, "epochs": 9}) == first
    assert sorted(path.name for path in folder(pool).iterdir()) == names
    loaded = pool.load(KEY)
    assert loaded is not None
    assert same(loaded.files["logits"], files(1.0)["logits"])


def test_a_checkpoint_comes_back_bit_by_bit(pool: Pool) -> None:
    state = {"epoch": torch.tensor(1), "model/weight": torch.tensor([0.1, -0.0])}
    assert pool.checkpoint(KEY) is None
    pool.save_checkpoint(KEY, state)
    read = pool.checkpoint(KEY)
    assert read is not None
    assert same(read, state)
    assert pool.load(KEY) is None


def test_a_new_checkpoint_takes_the_place_of_the_old_one(pool: Pool) -> None:
    for epoch in (1, 2, 2, 3):
        pool.save_checkpoint(KEY, {"epoch": torch.tensor(epoch)})
    read = pool.checkpoint(KEY)
    assert read is not None
    assert int(read["epoch"]) == 3
    assert len(checkpoint_files(pool)) == 1


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, empty])
def test_a_damaged_checkpoint_is_dropped(pool: Pool, damage: Callable[[Path], None]) -> None:
    pool.save_checkpoint(KEY, {"epoch": torch.tensor(1)})
    (path,) = checkpoint_files(pool)
    damage(path)
    assert pool.checkpoint(KEY) is None
    assert not checkpoint_files(pool)


def test_an_artefact_that_is_saved_drops_its_own_checkpoint_alone(pool: Pool) -> None:
    other = ArtefactKey("oracle", KEY.inputs)
    for key in (KEY, other):
        pool.save_checkpoint(key, {"epoch": torch.tensor(1)})
    pool.save(KEY, files(), FACTS)
    assert pool.checkpoint(KEY) is None
    assert pool.checkpoint(other) is not None

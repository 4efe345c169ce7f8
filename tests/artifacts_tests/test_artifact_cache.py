"""The node's cache, under a pool in an object store (in memory)."""

import errno
import os
import pickle
import stat
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from lethe.artifacts import ArtifactKey, ArtifactRecipe, ArtifactStore, Facts, Product, Workshop
from lethe.artifacts._cache import NodeCache
from lethe.storage.hashing import digest
from lethe.storage.root import StorageError, StorageRoot


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
FILES = {"weights": {"a": torch.arange(1000.0)}, "logits": {"train": torch.ones(3)}}
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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LETHE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> StorageRoot:
    return StorageRoot.at(f"memory://{tmp_path.name}")


def weights(artifacts: ArtifactStore) -> torch.Tensor:
    loaded = artifacts.load(KEY)
    assert loaded is not None
    return loaded.files["weights"]["a"]


def take_away(root: StorageRoot) -> None:
    """Leaves an artifact's manifest without its files."""
    for name in root.names(".safetensors", recursive=True):
        root.delete(name)


@pytest.mark.parametrize("read", [ArtifactStore.load, ArtifactStore.verify])
def test_what_was_read_once_is_loaded_without_the_store(
    root: StorageRoot, folder: Path, read: Callable[[ArtifactStore, ArtifactKey], object]
) -> None:
    ArtifactStore(root).save(RECIPE, FILES, FACTS)
    assert read(ArtifactStore(root), KEY)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    take_away(root)
    other = pickle.loads(pickle.dumps(ArtifactStore(root)))
    assert torch.equal(weights(other), FILES["weights"]["a"])


def test_verifying_looks_at_the_store_and_not_at_the_cache(root: StorageRoot) -> None:
    ArtifactStore(root).save(RECIPE, FILES, FACTS)
    ArtifactStore(root).load(KEY)
    take_away(root)
    with pytest.raises(Exception, match="is missing"):
        ArtifactStore(root).verify(KEY)


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:], lambda _: b""])
def test_a_broken_cache_file_is_fetched_again(
    root: StorageRoot, folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    ArtifactStore(root).save(RECIPE, FILES, FACTS)
    weights(ArtifactStore(root))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert before
    for path, content in before.items():
        path.write_bytes(damage(content))
    assert torch.equal(weights(ArtifactStore(root)), FILES["weights"]["a"])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("damage", [make_a_pipe, link_to_a_device])
def test_what_is_no_file_in_the_cache_is_fetched_again(
    root: StorageRoot, folder: Path, damage: Callable[[Path], None]
) -> None:
    ArtifactStore(root).save(RECIPE, FILES, FACTS)
    weights(ArtifactStore(root))
    for path in list(folder.iterdir()):
        damage(path)
    assert torch.equal(weights(ArtifactStore(root)), FILES["weights"]["a"])
    assert all(path.is_file() and not path.is_symlink() for path in folder.iterdir())


def test_a_folder_in_the_cache_is_left_alone(folder: Path) -> None:
    (folder / "somebody's").mkdir(parents=True)
    NodeCache(limit_bytes=1).keep(digest(b"content"), b"content")
    assert [path.name for path in folder.iterdir()] == ["somebody's"]


def test_a_local_place_needs_no_cache(tmp_path: Path, folder: Path) -> None:
    artifacts = ArtifactStore(StorageRoot.at(tmp_path / "results"))
    artifacts.save(RECIPE, FILES, FACTS)
    weights(artifacts)
    assert not folder.exists()


def test_what_was_used_longest_ago_goes_first(folder: Path) -> None:
    cache = NodeCache(limit_bytes=250)
    contents = [bytes([number]) * 100 for number in range(3)]
    names = [digest(content) for content in contents]
    for age, name, content in zip((30, 20), names, contents, strict=False):
        cache.keep(name, content)
        os.utime(folder / name, (age, age))
    assert cache.get(names[0]) == contents[0]
    cache.keep(names[2], contents[2])
    assert sorted(path.name for path in folder.iterdir()) == sorted([names[0], names[2]])


def test_what_is_larger_than_the_cache_is_not_kept(folder: Path) -> None:
    NodeCache(limit_bytes=50).keep(digest(bytes(100)), bytes(100))
    assert list(folder.iterdir()) == []


def test_many_readers_and_writers_at_once_agree(folder: Path) -> None:
    cache = NodeCache(limit_bytes=3500)
    contents = [bytes([number]) * 1000 for number in range(8)]

    def use(number: int) -> bool:
        content = contents[number % 8]
        cache.keep(digest(content), content)
        return cache.get(digest(content)) in (content, None)

    with ThreadPoolExecutor(8) as artifacts:
        assert all(artifacts.map(use, range(200)))
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3500


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path, folder: Path) -> None:
    folder.write_bytes(b"a file")
    with pytest.raises(StorageError, match=rf"cannot keep artifacts in {folder}.*LETHE_CACHE"):
        NodeCache().get("0")


def test_a_file_of_another_user_in_a_shared_folder_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    NodeCache().keep(digest(b"theirs"), b"theirs")

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "utime", refuse)
    assert NodeCache().get(digest(b"theirs")) == b"theirs"


def test_the_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LETHE_CACHE")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert NodeCache().get("0") is None
    uid = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: uid + 1)
    (tmp_path / f"lethe-cache-{uid + 1}").mkdir()
    with pytest.raises(StorageError, match="belongs to another user"):
        NodeCache().get("0")

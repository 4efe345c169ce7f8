"""A second writer is excluded: on a folder, in memory, and on an S3-compatible server on loopback."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lethe.storage.root import StorageRoot

WRITERS = 8
TRIES = 32


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> StorageRoot:
    if request.param == "local":
        return StorageRoot.at(tmp_path / "results")
    if request.param == "memory":
        return StorageRoot.at(f"memory://{uuid.uuid4().hex}")
    bucket: str = request.getfixturevalue("s3_bucket")
    return StorageRoot.at(bucket.replace("?", f"/{uuid.uuid4().hex}?"))


def winners(write: Callable[[int], bool]) -> list[int]:
    with ThreadPoolExecutor(WRITERS) as writers:
        return [number for number, won in enumerate(writers.map(write, range(TRIES))) if won]


def test_of_many_that_create_a_file_at_once_one_does(root: StorageRoot) -> None:
    [won] = winners(lambda number: root.create("a", b"%d" % number))
    assert root.read("a") == b"%d" % won


def test_of_many_that_replace_the_same_bytes_at_once_one_does(root: StorageRoot) -> None:
    root.write("a", b"old")
    [won] = winners(lambda number: root.replace("a", b"old", b"%d" % number))
    assert root.read("a") == b"%d" % won


def test_what_holds_other_bytes_by_now_is_not_replaced(root: StorageRoot) -> None:
    root.write("a", b"now")
    assert not root.replace("a", b"then", b"new")
    assert root.read("a") == b"now"


def test_what_holds_the_new_bytes_already_counts_as_replaced(root: StorageRoot) -> None:
    """An answer may be lost on its way while the bytes are written."""
    root.write("a", b"new")
    assert root.replace("a", b"old", b"new")


def test_what_is_gone_is_not_replaced(root: StorageRoot) -> None:
    assert not root.replace("a", b"old", b"new")
    assert not root.exists("a")


def test_a_place_that_excludes_a_second_writer_can_be_prepared(root: StorageRoot) -> None:
    prepared = root.prepared()
    assert prepared.names(recursive=True) == [name for name in prepared.names() if name.startswith(".lethe")]

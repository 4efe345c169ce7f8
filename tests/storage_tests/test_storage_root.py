"""Places: a local folder, and an object store (in memory) through the same methods."""

import os
import pickle
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lethe.storage.root import MARK, StorageError, StorageRoot, UnfitFileError


@pytest.fixture(params=["local", "objects"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> StorageRoot:
    return StorageRoot.at(tmp_path / "place" if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def test_a_file_reads_as_it_was_written_and_the_last_write_counts(root: StorageRoot) -> None:
    root.write("a/b.bin", b"one")
    root.write("a/b.bin", b"two")
    assert root.read("a/b.bin") == b"two"
    assert root.child("a").read("b.bin") == b"two"


def test_bytes_are_never_decompressed_by_a_files_name(root: StorageRoot) -> None:
    root.write("a.gz", b"not gzip")
    assert root.read("a.gz") == b"not gzip"


def test_reading_what_is_not_there_is_file_not_found(root: StorageRoot) -> None:
    with pytest.raises(FileNotFoundError):
        root.read("nothing")


def test_a_file_that_is_larger_than_its_kind_is_not_read(root: StorageRoot) -> None:
    root.write("small.json", b"12345")
    assert root.read("small.json", limit_bytes=5) == b"12345"
    with pytest.raises(UnfitFileError, match=r"small\.json: wanted a file of at most 4 bytes, got 5: move it away"):
        root.read("small.json", limit_bytes=4)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    root = StorageRoot.at(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "device", "folder"):
        with pytest.raises(UnfitFileError, match=rf"{tmp_path}/{name}: wanted a regular file, got a folder, pipe"):
            root.read(name)


def test_a_sparse_file_larger_than_memory_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "sparse.json").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(UnfitFileError, match="at most 10 bytes, got 4,398,046,511,104"):
        StorageRoot.at(tmp_path).read("sparse.json", limit_bytes=10)


def test_a_mark_that_is_a_pipe_is_told_when_a_place_is_prepared_and_afterwards(tmp_path: Path) -> None:
    prepared = StorageRoot.at(tmp_path / "place").prepared()
    mark = tmp_path / "place" / MARK
    mark.unlink()
    os.mkfifo(mark)
    with pytest.raises(StorageError, match="wanted a regular file"):
        StorageRoot.at(tmp_path / "place").prepared()
    with pytest.raises(StorageError, match="the folder is gone or is another one"):
        prepared.write("a/b", b"x")


def test_names_are_sorted_and_relative_and_a_missing_folder_has_none(root: StorageRoot) -> None:
    assert root.names(recursive=True) == []
    for name in ("b.parquet", "a.parquet", "c.txt", "d/e.parquet"):
        root.write(name, b"x")
    assert root.names(".parquet") == ["a.parquet", "b.parquet"]
    assert root.names(".parquet", recursive=True) == ["a.parquet", "b.parquet", "d/e.parquet"]


def test_sizes_are_those_of_the_files_that_names_lists(root: StorageRoot) -> None:
    root.write("a.bin", b"12345")
    root.write("d/b.bin", b"")
    assert root.sizes(".bin") == {"a.bin": 5}
    assert root.sizes(recursive=True) == {"a.bin": 5, "d/b.bin": 0}
    assert root.child("nothing").sizes() == {}


def test_a_stamp_changes_with_the_file(root: StorageRoot) -> None:
    root.write("a", b"x")
    before = root.stamps()
    root.write("a", b"longer")
    assert root.stamps().keys() == before.keys()
    assert root.stamps() != before


def test_files_and_folders_are_deleted_and_what_is_missing_is_let_be(root: StorageRoot) -> None:
    root.write("a", b"x")
    root.write("d/e", b"x")
    for name in ("a", "d", "nothing"):
        root.delete(name)
    assert not root.exists("a")
    assert root.names(recursive=True) == []


def test_what_is_set_aside_keeps_its_bytes_and_is_listed_no_more(root: StorageRoot) -> None:
    for content in (b"first", b"second"):
        root.write("broken/weights.bin", content)
        root.write("broken/manifest.json", b"{}")
        root.quarantine("broken")
    root.write("file.bin", b"x")
    where = root.quarantine("file.bin")
    assert where.startswith(f"{root}/quarantine/file.bin.")
    assert not root.exists("broken/weights.bin")
    assert root.names(recursive=True) == []
    aside = root.child("quarantine").names("weights.bin", recursive=True)
    assert {root.child("quarantine").read(name) for name in aside} == {b"first", b"second"}


def test_a_place_travels_to_another_process_and_back_through_its_uri(root: StorageRoot) -> None:
    root.write("a", b"x")
    assert pickle.loads(pickle.dumps(root)).read("a") == b"x"
    assert StorageRoot.at(root.uri) == root
    assert StorageRoot.at(root) is root


def test_a_writable_place_is_checked_without_a_trace(root: StorageRoot) -> None:
    root.check_writable()
    assert root.names(recursive=True) == []


def test_only_a_local_place_has_paths(tmp_path: Path) -> None:
    assert StorageRoot.at(tmp_path).local_path("a/b") == tmp_path / "a" / "b"
    assert StorageRoot.at("memory://x").local_path("a") is None


def test_paths_are_made_absolute_and_home_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert StorageRoot.at("results") == StorageRoot.at(tmp_path / "results") == StorageRoot.at("~/results")
    spaced = StorageRoot.at("with space").child("ä b")
    spaced.write("a", b"x")
    assert (tmp_path / "with space" / "ä b" / "a").read_bytes() == b"x"
    assert StorageRoot.at(spaced.uri).read("a") == b"x"


def test_temporary_files_are_listed_as_half_written_alone(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".a.parquet.0123.tmp").write_bytes(b"torn")
    (tmp_path / "b" / "a.parquet").write_bytes(b"whole")
    assert StorageRoot.at(tmp_path).names(recursive=True) == ["b/a.parquet"]
    assert StorageRoot.at(tmp_path).names(".tmp", recursive=True) == []
    assert StorageRoot.at(tmp_path).half_written() == {"b/.a.parquet.0123.tmp": 4}


def test_options_stay_behind_a_childs_path_and_secrets_are_not_shown() -> None:
    root = StorageRoot.at("s3://key:secret@bucket/results?region=eu-west-1").child("a b")
    assert root.uri == "s3://key:secret@bucket/results/a%20b?region=eu-west-1"
    assert root.address == "s3://bucket/results/a%20b?region=eu-west-1"
    assert str(root) == "s3://bucket/results/a%20b"


def test_secret_options_are_not_shown_and_others_are() -> None:
    root = StorageRoot.at("s3://bucket/results?scheme=http&region=eu-west-1")
    assert root.address == "s3://bucket/results?scheme=http&region=eu-west-1"
    with pytest.raises(StorageError) as raised:
        StorageRoot.at("nope://host/a?client_secret=hidden&tenant=shown&account_key=hidden")
    assert "nope://host/a?tenant=shown:" in str(raised.value)
    with pytest.raises(StorageError, match=r"nope://host/a: "):
        StorageRoot.at("nope://host/a?access_token=hidden")


def test_an_unknown_kind_of_uri_is_told_with_the_known_ones_and_without_secrets() -> None:
    with pytest.raises(StorageError, match=r"cannot open nope://host/a.*\n.*s3://") as raised:
        StorageRoot.at("nope://key:secret@host/a")
    assert "secret" not in str(raised.value).split("\n")[0].split(": ")[0]


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    root = StorageRoot.at(tmp_path / "results")
    for attempt in (root.check_writable, lambda: root.write("a", b"x"), lambda: root.child("t").write("a", b"x")):
        with pytest.raises(StorageError, match=f"{tmp_path}/results") as raised:
            attempt()
        assert "A file stands where a folder is needed" in str(raised.value)


def test_setting_aside_what_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot move gone to quarantine in"):
        StorageRoot.at(tmp_path).quarantine("gone")


def test_a_write_that_fails_halfway_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    StorageRoot.at(tmp_path).write("a", b"old")
    script = (
        "import resource, sys; from lethe.storage.root import StorageRoot, StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "for attempt in (lambda p: p.write('a', bytes(5000)), lambda p: p.check_writable()):\n"
        "    try: attempt(StorageRoot.at(sys.argv[1]))\n"
        "    except StorageError as error: print('told:', error)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("told: cannot write") == 2
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_file_is_created_once(root: StorageRoot) -> None:
    assert root.create("a/b", b"first")
    assert not root.create("a/b", b"second")
    assert root.read("a/b") == b"first"
    assert root.names(recursive=True) == ["a/b"]


def test_of_many_that_create_a_file_at_once_one_does(tmp_path: Path) -> None:
    root = StorageRoot.at(tmp_path)
    with ThreadPoolExecutor(8) as artifacts:
        won = list(artifacts.map(lambda number: root.create("a", b"%d" % number), range(64)))
    assert won.count(True) == 1
    assert root.read("a") == b"%d" % won.index(True)


def test_a_prepared_place_is_used_like_any_other(root: StorageRoot) -> None:
    prepared = root.prepared()
    prepared.child("a", "b").write("c.bin", b"x")
    assert prepared.quarantine("a/b/c.bin")
    assert not prepared.exists("a/b/c.bin")
    assert prepared == root == prepared.prepared()


def move_away(root: Path) -> None:
    root.rename(root.with_name("moved"))


def empty_the_mount_point(root: Path) -> None:
    move_away(root)
    root.mkdir()


def put_another_place_there(root: Path) -> None:
    move_away(root)
    StorageRoot.at(root).prepared()


@pytest.mark.parametrize("go", [move_away, empty_the_mount_point, put_another_place_there])
@pytest.mark.parametrize(
    "use",
    [
        lambda root: root.write("a/b/c", b"x"),
        lambda root: root.write("a/b.bin", b"x"),
        lambda root: root.create("a/d", b"x"),
        lambda root: root.read("a/b.bin"),
        lambda root: root.exists("a/b.bin"),
        lambda root: root.child("a").names(),
        lambda root: root.child("a").read("b.bin"),
        lambda root: root.prepared(),
    ],
    ids=["write below", "write", "create", "read", "exists", "list", "read as a child", "prepare again"],
)
def test_a_prepared_place_that_is_gone_is_told_and_not_made_again(
    tmp_path: Path, go: Callable[[Path], None], use: Callable[[StorageRoot], object]
) -> None:
    root = tmp_path / "share" / "results"
    prepared = pickle.loads(pickle.dumps(StorageRoot.at(root).prepared()))
    prepared.write("a/b.bin", b"old")
    go(root)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageError, match=rf"{root}(.|\n)*see whether its disk or share is still mounted"):
        use(prepared)
    assert sorted(tmp_path.rglob("*")) == before
    if root.is_dir():
        shutil.rmtree(root)
    root.with_name("moved").rename(root)
    assert prepared.read("a/b.bin") == b"old"
    prepared.write("a/b.bin", b"new")

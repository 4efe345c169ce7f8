"""Files that users name: what is no regular file, or too large, is refused without waiting and without reading it."""

import os
from pathlib import Path

import pytest

from unlearning.data import DataError
from unlearning.data._files import read_regular


def test_a_regular_file_up_to_the_limit_is_read_whole_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10) == b"0123456789"


def test_a_file_beyond_the_limit_is_refused_unread_with_both_sizes(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(DataError, match=r"sparse: wanted a list of at most 1,000 bytes, got 3,221,225,472"):
        read_regular(tmp_path / "sparse", 1000, "list")


def test_a_file_that_hides_its_size_is_measured_while_it_is_read() -> None:
    with pytest.raises(DataError, match="wanted a file of at most 3 bytes, got 4"):
        read_regular(Path("/proc/self/status"), 3)


@pytest.mark.timeout(10)
def test_a_pipe_a_device_a_folder_and_a_missing_file_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, got in (
        (tmp_path / "pipe", "wanted a regular file as list, got a pipe"),
        (Path("/dev/zero"), "wanted a regular file as list, got a device"),
        (tmp_path, "wanted a regular file as list, got a folder"),
        (tmp_path / "none", "there is no such list"),
    ):
        with pytest.raises(DataError, match=f"^{path}: {got}"):
            read_regular(path, 1000, "list")


def test_a_relative_path_that_leads_nowhere_is_told_with_the_folder_it_counts_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        read_regular(Path("list.csv"), 100, "list")
    said = f"list.csv: there is no such list; a relative path counts from the current folder, {Path.cwd()}"
    assert str(caught.value) == said

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from unlearning.data import DataError, MedMNIST, Split, load
from unlearning.data._medmnist import keep_share
from unlearning.data.catalogue import Download, check, data_root, download_checked, fetch, find, sets

SHARED = Path(__file__).parents[3] / "shared" / "data" / "medmnist"
needs_official_file = pytest.mark.skipif(
    not (SHARED / "pneumoniamnist.npz").is_file(),
    reason="no official MedMNIST file in shared/data beside the repository",
)
CONTENT = bytes(range(256)) * 40


class Files(BaseHTTPRequestHandler):
    """Serves CONTENT at /whole, and at /cut half of it under the length of the whole."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def download_of(url: str, content: bytes = CONTENT) -> Download:
    return Download(url, hashlib.md5(content).hexdigest())


def test_every_2d_set_is_known_and_nothing_else() -> None:
    wanted = "path chest derma oct pneumonia retina breast blood tissue organa organc organs"
    assert set(sets()) == {f"{name}mnist" for name in wanted.split()}
    assert all(set(known.downloads) == {28, 64, 128, 224} for known in sets().values())


def test_the_set_whose_images_have_any_number_of_labels_says_so() -> None:
    chest = find("chestmnist")
    assert (chest.task, chest.channels, len(chest.class_names)) == ("multi-label, binary-class", 1, 14)
    assert chest.class_names[:2] == ("atelectasis", "cardiomegaly")


def test_what_is_known_of_a_set_is_what_medmnist_says() -> None:
    blood = find("bloodmnist")
    assert (blood.task, blood.channels, len(blood.class_names)) == ("multi-class", 3, 8)
    assert blood.class_names[:2] == ("basophil", "eosinophil")
    assert blood.samples == {"train": 11_959, "val": 1_712, "test": 3_421}


def test_a_file_has_the_name_that_medmnist_gives_it(tmp_path: Path) -> None:
    assert find("pathmnist").path(28, tmp_path) == tmp_path / "pathmnist.npz"
    assert find("pathmnist").path(64, tmp_path) == tmp_path / "pathmnist_64.npz"
    assert find("pathmnist").downloads[64].url.split("?")[0].endswith("/pathmnist_64.npz")


def test_an_option_comes_before_the_environment_and_that_before_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LETHE_DATA", raising=False)
    assert data_root() == tmp_path / "home" / ".medmnist"
    monkeypatch.setenv("LETHE_DATA", str(tmp_path / "environment"))
    assert data_root() == tmp_path / "environment"
    assert data_root(tmp_path / "option") == tmp_path / "option"


def test_a_mistyped_folder_is_refused_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mistyped = tmp_path / "datta"
    monkeypatch.setenv("LETHE_DATA", str(mistyped))
    wanted = rf"wanted an existing folder at {mistyped}, got nothing there"
    for use in (load, lambda source: find(source.name).found(), lambda source: check(source.name)):
        with pytest.raises(DataError, match=f"the environment's LETHE_DATA: {wanted}"):
            use(MedMNIST(name="bloodmnist"))
    with pytest.raises(DataError, match=f"the option `root`: {wanted}"):
        load(MedMNIST(name="bloodmnist", root=mistyped))
    assert list(tmp_path.iterdir()) == []
    mistyped.touch()
    with pytest.raises(DataError, match="got something that is no folder"):
        load(MedMNIST(name="bloodmnist"))


def test_the_default_folder_need_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LETHE_DATA", raising=False)
    assert check("bloodmnist").verdict == "missing"


def test_a_pipe_under_a_sets_name_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bloodmnist.npz")
    with pytest.raises(DataError, match=r"bloodmnist\.npz is no regular file"):
        load(MedMNIST(name="bloodmnist", root=tmp_path))


def test_the_listing_tells_which_files_exist(tmp_path: Path) -> None:
    (tmp_path / "bloodmnist_64.npz").touch()
    assert find("bloodmnist").found(tmp_path) == {64: tmp_path / "bloodmnist_64.npz"}
    assert find("pathmnist").found(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "bloodmnst",
            r"unknown MedMNIST set 'bloodmnst' \(did you mean bloodmnist\?\); valid names: pathmnist,",
        ),
        ("organmnist3d", "organmnist3d holds volumes, and Lethe works on 2D images; valid names"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_when_the_option_is_read(name: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MedMNIST(name=name)


def test_a_size_that_does_not_exist_is_refused_when_the_option_is_read() -> None:
    with pytest.raises(ValidationError, match="28, 64, 128 or 224"):
        MedMNIST.model_validate({"name": "bloodmnist", "size": 32})


def test_a_size_that_does_not_exist_is_refused_by_the_catalogue(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bloodmnist has no size 32; valid sizes: 28, 64, 128, 224"):
        check("bloodmnist", 32, tmp_path)


def test_nonmembers_come_from_val_where_test_is_of_another_origin() -> None:
    from_val = {name for name, known in sets().items() if known.nonmembers == "val"}
    assert from_val == {"pathmnist", "organamnist", "organcmnist", "organsmnist", "pneumoniamnist", "octmnist"}


def test_a_missing_file_that_must_not_be_downloaded_is_told_with_its_address_and_place(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"bloodmnist: there is no .*bloodmnist\.npz; fetch it from https://.*LETHE_DATA"
    ):
        load(MedMNIST(name="bloodmnist", root=tmp_path, download=False))
    assert check("bloodmnist", root=tmp_path).verdict == "missing"


def test_another_file_under_the_name_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "bloodmnist.npz"
    np.savez(path, train_images=np.zeros((1, 28, 28), np.uint8))
    with pytest.raises(DataError, match=r"has MD5 [0-9a-f]{32}, wanted [0-9a-f]{32}.*source `npz`"):
        load(MedMNIST(name="bloodmnist", root=tmp_path))
    assert check("bloodmnist", root=tmp_path).verdict == "other"
    assert path.exists()


def test_a_truncated_file_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "bloodmnist.npz"
    np.savez(path, train_images=np.zeros((9, 28, 28), np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(
        DataError, match=r"bloodmnist\.npz is truncated or no archive at all; delete it and fetch it again"
    ):
        load(MedMNIST(name="bloodmnist", root=tmp_path))
    assert check("bloodmnist", root=tmp_path).verdict == "truncated"
    assert path.exists()


@needs_official_file
def test_the_official_file_is_found_whole_under_the_environments_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(SHARED / "pneumoniamnist.npz", tmp_path)
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    assert check("pneumoniamnist").verdict == "whole"
    assert fetch("pneumoniamnist", download=False) == tmp_path / "pneumoniamnist.npz"


@needs_official_file
def test_nonmembers_can_be_chosen() -> None:
    assert load(MedMNIST(name="pneumoniamnist", root=SHARED)).nonmembers == "val"
    assert load(MedMNIST(name="pneumoniamnist", root=SHARED, nonmembers="test")).nonmembers == "test"


@needs_official_file
def test_a_share_of_the_train_images_has_a_name_of_its_own_and_says_what_it_left() -> None:
    whole, tenth = (load(MedMNIST(name="pneumoniamnist", root=SHARED, train_fraction=share)) for share in (None, 0.1))
    assert tenth.name == "pneumoniamnist (10 % of train)"
    assert tenth.notes == ("train: 470 of 4,708 images, every class in its proportion",)
    assert tenth.content_hash != whole.content_hash
    assert torch.equal(tenth.test.labels_N, whole.test.labels_N)


def test_a_share_holds_every_class_in_its_proportion_and_keeps_the_order() -> None:
    labels_N = torch.tensor([0, 1, 1, 2] * 10)
    split = Split(torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1), labels_N)
    kept = keep_share(split, 0.3, "set")
    assert torch.bincount(kept.labels_N).tolist() == [3, 6, 3]
    positions_N = kept.images_NCHW.flatten().long()
    assert torch.equal(positions_N, positions_N.sort().values)
    assert torch.equal(labels_N[positions_N], kept.labels_N)
    assert torch.equal(positions_N, keep_share(split, 0.3, "set").images_NCHW.flatten())


def test_a_share_that_leaves_a_class_without_an_image_is_refused() -> None:
    split = Split(torch.zeros(12, 1, 1, 1, dtype=torch.uint8), torch.tensor([0] * 10 + [1] * 2))
    with pytest.raises(DataError, match=r"set: nothing is left of class 1 with 2 images in train"):
        keep_share(split, 0.2, "set")


def test_a_download_lands_under_its_name_in_a_folder_made_for_it(address: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "set.npz"
    download_checked(download_of(f"{address}/whole"), path)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_download_that_breaks_off_leaves_nothing_behind(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/cut could not be downloaded to .*set\.npz"):
        download_checked(download_of(f"{address}/cut"), tmp_path / "set.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_download_of_other_bytes_leaves_nothing_behind(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gave other bytes than MedMNIST's MD5 .* says"):
        download_checked(download_of(f"{address}/whole", b"other"), tmp_path / "set.npz")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_does_not_answer_is_told_with_what_to_do(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"404.*where there is no network, copy the file there by hand"):
        download_checked(download_of(f"{address}/nothing"), tmp_path / "set.npz")


def test_a_host_that_cannot_be_reached_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DataError, match=r"could not be downloaded .*copy the file there by hand"):
        download_checked(download_of("http://127.0.0.1:9/set.npz"), tmp_path / "set.npz")

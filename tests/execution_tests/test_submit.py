"""Studies submitted to a cluster's job server: sent with their files, followed, listed, stopped; refusals told."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from forked_lethe import ForkedLethe, ended
from PIL import Image

from lethe.execution import ray_settings
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import StudyError, read_study
from lethe.submit import pack
from unlearning.data import load
from unlearning.data.forget import select

Lethe = Callable[..., ForkedLethe]
LetheHere = Callable[..., tuple[int, str]]
WriteStudy = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore:ssl=None is deprecated:DeprecationWarning")  # Ray passes it
NUMBERS = "select number, lr, density, ua, ra, va, mia, gap, status from trials order by method_search, number"


@pytest.fixture(scope="module")
def head(start_head: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The environment of who submits to a running head, RAY_API_SERVER_ADDRESS included."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = start_head("--dashboard-host=127.0.0.1", f"--dashboard-port={port}")
    return environment | {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}"}


@pytest.fixture
def user(head: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process as one of who submits to the head; returns the environment that makes it so."""
    enter(head, monkeypatch)
    return head


def enter(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an environment into this process, where Ray has read its settings by now."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ray_settings.set_mode("token")


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """Images of two classes, told apart by their brightness."""
    generator = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 80), ("val", 40), ("test", 40)):
        labels = np.arange(count) % 2
        noise = generator.integers(0, 128, (count, 12, 12))
        arrays[f"{split}_images"] = (noise + 128 * labels[:, None, None]).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def indices(tmp_path: Path) -> Path:
    path = tmp_path / "withdrawn.csv"
    path.write_text("index\n" + "\n".join(map(str, range(0, 80, 5))))
    return path


def wait_for_line(process: ForkedLethe, part: str) -> str:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if part in line:
            return line
    pytest.fail("".join(said))


def numbers(results: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = query(NUMBERS, results).to_pylist()
    return records


def test_a_submitted_study_takes_its_files_along_and_gives_the_numbers_of_a_local_run(
    lethe_here: LetheHere,
    user: dict[str, str],
    write_study: WriteStudy,
    own_package: dict[str, Any],
    npz: Path,
    indices: Path,
    tmp_path: Path,
) -> None:
    study = write_study(
        **own_package,
        data=[{"source": "npz", "path": str(npz)}],
        forget=[{"kind": "indices", "file": str(indices)}],
        search={"trials": 3, "window": 2},
        resources={"workers": 1},
    )
    results = tmp_path / "results"
    where = "import lethe, unlearning; print(lethe.__file__, unlearning.__file__)"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{sys.executable} -c '{where}'\nexec {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    code, output = lethe_here("submit", study, "--results", results, "--python", python)
    assert code == 0, output
    assert f"Travels with the study: {npz}, {indices}" in output
    assert "Travels with the study, as code that it imports: wardcode/__init__.py, wardcode/nets.py, " in output
    assert f"Results go to the folder {results} of the head." in output
    [code_there] = [line for line in output.splitlines() if line.endswith("unlearning/__init__.py")]
    assert code_there.count("/runtime_resources/py_modules_files/") == 2
    assert "oracle (noise floor)" in output

    from rich.console import Console

    with Progress(Console(quiet=True)) as progress:
        StudyRun(read_study(study), StorageRoot.at(tmp_path / "local"), progress).run(local=True)
    assert numbers(results) == numbers(tmp_path / "local")

    [submitted] = [line for line in output.splitlines() if line.startswith("Submitted as ")]
    job = submitted.split()[2].rstrip(";")
    code, output = lethe_here("jobs")
    [row] = [line.split() for line in output.splitlines() if job in line]
    assert row[:3] == [job, "tiny", "succeeded"]
    assert row[-2:] == ["100", "%"]
    code, output = lethe_here("logs", job)
    assert code == 0
    assert "oracle (noise floor)" in output
    code, output = lethe_here("stop", job)
    assert (code, output) == (0, f"{job} had ended already: succeeded.\n")


def test_a_study_goes_on_when_following_ends_and_stops_when_it_is_told_to(
    lethe: Lethe, lethe_here: LetheHere, user: dict[str, str], write_study: WriteStudy, tmp_path: Path
) -> None:
    study = write_study(search={"trials": 500, "window": 2}, resources={"workers": 1})
    following = lethe("submit", study, "--results", tmp_path / "results", environment=user)
    job = wait_for_line(following, "Submitted as").split()[2].rstrip(";")
    wait_for_line(following, "Running on Ray")
    following.send_signal(signal.SIGINT)
    code, output = ended(following)
    assert code == 130, output
    assert f"No longer following; {job} goes on." in output
    assert f"lethe stop {job} --address {user['RAY_API_SERVER_ADDRESS']}" in output
    code, output = lethe_here("stop", job)
    assert code == 0, output
    code, output = lethe_here("logs", job, "--follow")
    assert code == 130, output
    assert "the same command goes on from here" in output


def test_a_wrong_study_is_told_before_anything_is_sent(lethe_here: LetheHere, write_study: WriteStudy) -> None:
    code, output = lethe_here("submit", write_study(), "search.trials=0", "seed=x", "--address", "http://127.0.0.1:1")
    assert code == 2
    assert "2 errors" in output


@pytest.mark.parametrize(
    ("address", "told"),
    [("http://127.0.0.1:1", "no job server answers at http://127.0.0.1:1"), ("nowhere", "wanted http://HOST:PORT")],
)
def test_a_job_server_that_is_not_there_is_told(
    lethe_here: LetheHere, write_study: WriteStudy, address: str, told: str
) -> None:
    for arguments in (("submit", write_study()), ("jobs",)):
        code, output = lethe_here(*arguments, "--address", address)
        assert code == 2
        [line] = output.splitlines()
        assert told in line


@pytest.mark.parametrize(
    ("token", "told"),
    [("f" * 64, "has another token than is given here"), ("", "demands its token, and there is none")],
    ids=["another", "none"],
)
def test_a_wrong_or_missing_token_is_told(
    lethe_here: LetheHere,
    head: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    write_study: WriteStudy,
    tmp_path: Path,
    token: str,
    told: str,
) -> None:
    enter(head | {"RAY_AUTH_TOKEN": token, "HOME": str(tmp_path)}, monkeypatch)
    for arguments in (("submit", write_study()), ("jobs",)):
        code, output = lethe_here(*arguments)
        assert code == 2
        [line] = output.splitlines()
        assert line.startswith(f"the job server {head['RAY_API_SERVER_ADDRESS']} {told}")


def test_an_unknown_job_is_told(lethe_here: LetheHere, user: dict[str, str]) -> None:
    for command in (("logs",), ("logs", "--follow"), ("stop",)):
        code, output = lethe_here(*command, "tiny-00000000")
        assert code == 2
        assert output.startswith(f"no job tiny-00000000 at {user['RAY_API_SERVER_ADDRESS']}; jobs there: ")


def test_a_parcel_means_the_same_where_it_is_unpacked(
    write_study: WriteStudy, npz: Path, indices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study_file = write_study(
        data=[{"source": "npz", "path": npz.name}], forget=[{"kind": "indices", "file": indices.name}]
    )
    bundle = pack(study_file, ["search.trials=9"], None, tmp_path)
    sent = bundle.archive.read_bytes()
    assert pack(study_file, ["search.trials=9"], None, tmp_path).archive.read_bytes() == sent
    there = tmp_path / "there"
    with ZipFile(bundle.archive) as archive:
        archive.extractall(there)
    here = read_study(study_file)
    npz.unlink()
    indices.unlink()
    monkeypatch.chdir(there)
    study = read_study(Path("study.yaml"))
    assert study.search.trials == 9
    assert study.results == "~/results"
    data = load(study.data[0])
    assert (data.name, len(data.train)) == ("mine", 80)
    assert study.forget[0].label == here.forget[0].label
    assert bundle.notes[-1] == "Results go to the folder ~/results of the head, or where its LETHE_RESULTS says."


def test_folders_and_medmnist_files_travel_too(
    write_study: WriteStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "mine" / "train" / "ill" / "venv" / "1.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"image")
    (tmp_path / "bloodmnist.npz").write_bytes(b"file")
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    medmnist = [{"source": "medmnist", "name": name} for name in ("bloodmnist", "pathmnist")]
    study_file = write_study(data=[{"source": "folder", "path": str(tmp_path / "mine"), "size": 12}, *medmnist])
    bundle = pack(study_file, [], "s3://key:secret@bucket/lethe?region=eu-west-1", tmp_path)
    with ZipFile(bundle.archive) as archive:
        names = archive.namelist()
        archive.extract("study.yaml", tmp_path / "there")
    assert names == ["study.yaml", "data.0.path/mine/train/ill/venv/1.png", "data.1.root/bloodmnist.npz"]
    monkeypatch.chdir(tmp_path / "there")
    folder, found, missing = read_study(Path("study.yaml")).data
    assert folder.model_dump()["path"] == Path("data.0.path/mine")
    assert found.model_dump()["root"] == Path("data.1.root")
    assert missing.model_dump()["root"] is None
    assert bundle.results == "s3://bucket/lethe?region=eu-west-1"
    assert bundle.notes[-1] == "Results go to s3://bucket/lethe, with the head's own credentials."


def test_a_table_travels_with_its_images_and_a_list_of_patients_with_its_study(
    write_study: WriteStudy, tmp_path: Path
) -> None:
    for n in range(24):
        path = tmp_path / "mine" / "scans" / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    rows = [f"scans/{n}.png;{n % 2};{('train', 'val', 'test')[n // 2 % 3]};p{n % 12}" for n in range(24)]
    (tmp_path / "mine" / "images.csv").write_text("\n".join(["File;Label;Split;Patient", *rows]))
    (tmp_path / "withdrawn.txt").write_text("p0\n")
    data = {"source": "table", "path": "mine/images.csv", "channels": 1}
    forget = {"kind": "where", "column": "patient", "values_file": "withdrawn.txt"}
    bundle = pack(write_study(data=[data], forget=[forget]), [], None, tmp_path)
    with ZipFile(bundle.archive) as archive:
        archive.extractall(tmp_path / "there")
    study = read_study(tmp_path / "there" / "study.yaml")
    assert load(study.data[0]).content_hash == load(read_study(tmp_path / "tiny.yaml").data[0]).content_hash
    assert select(study.forget[0], load(study.data[0]), 0).indices_F.tolist() == [0, 4]


def test_settings_files_travel_too(write_study: WriteStudy, tmp_path: Path) -> None:
    (tmp_path / "best.yaml").write_text("format: lethe-settings")
    methods = [{"name": "salun"}, {"name": "fine_tune", "search": {"lr": [0.01, 0.1]}}]
    study_file = write_study(methods=methods, settings="best.yaml", search={"start_from": "best.yaml"})
    bundle = pack(study_file, [], None, tmp_path)
    unpacked = tmp_path / "there"
    ZipFile(bundle.archive).extractall(unpacked)
    study = read_study(unpacked / "study.yaml")
    assert study.settings == unpacked / "settings" / "best.yaml"
    assert study.search.start_files == {0: unpacked / "search.start_from.0" / "best.yaml"}
    for path in (study.settings, study.search.start_files[0]):
        assert path.read_text() == "format: lethe-settings"


def test_files_that_cannot_travel_are_told(write_study: WriteStudy, tmp_path: Path) -> None:
    large = tmp_path / "large.npz"
    large.touch()
    os.truncate(large, 101 << 20)
    data = [{"source": "npz", "path": "/nowhere/there.npz"}, {"source": "npz", "path": str(large)}]
    with pytest.raises(StudyError, match=r"more than the 100.0 MiB that a job takes along\n  data.1.path: .*101.0 MiB"):
        pack(write_study(data=data), [], None, tmp_path)
    bundle = pack(write_study(data=data[:1]), [], None, tmp_path)
    assert bundle.notes[0] == "data.0.path: /nowhere/there.npz is not here, so it must be on the head."
    changes = ["data.0.path=there.npz", "forget.0={kind: indices, file: list.txt}"]
    with pytest.raises(StudyError, match=r"2 errors\n  data.0.path: there is no there.npz here.*\n  forget.0.file: "):
        pack(write_study(data=data[:1]), changes, None, tmp_path)

"""Deliveries that are killed, that run beside each other, and whose artifacts were pruned."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_lethe import Fault, ForkedLethe, fill
from safetensors.torch import load_file

from lethe.storage.root import StorageRoot
from lethe.study import Study

LetheHere = Callable[..., tuple[int, str]]
Read = Callable[..., Study]
Run = Callable[[Study, StorageRoot], None]
Words = Callable[..., list[str]]


@pytest.fixture
def results(made: Any, tmp_path: Path) -> Path:
    """The results of a study that was run and has delivered nothing yet."""
    shutil.copytree(made.results, tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / "artifacts" / "unlearned_model")
    return tmp_path / "results"


@pytest.fixture
def words(results: Path) -> Words:
    """Writes the command that delivers a study into a folder."""
    return lambda out, study="hospital": ["deliver", "--study", study, "--results", str(results), "--out", str(out)]


def said_by(*processes: ForkedLethe) -> list[str]:
    return [process.communicate(120)[0] for process in processes]


def test_killed_at_any_moment_a_delivery_is_whole_or_not_there_and_the_same_command_goes_on(
    words: Words, tmp_path: Path, lethe_here: LetheHere, fork: type[ForkedLethe]
) -> None:
    given = tmp_path / "given"
    kills = (
        Fault("os.link", "unlearned_model"),
        Fault("os.rename", "-production.parquet"),
        Fault("os.rename", "program.pt2"),
        Fault("os.rename", "opening.json"),
        Fault("os.rename", ".certificate.json."),
        Fault("os.rename", str(given / ".out.")),
    )
    for kill in kills:
        with fork(words(given / "out"), os.environ, fault=kill) as process:
            assert process.wait(120) < 0, f"it ended before {kill}: {process.stdout.read()}"
        assert not (given / "out").exists()
    assert len(list(given.iterdir())) == 1, "what the last but one left is gone"
    assert lethe_here(*words(given / "out"))[0] in (0, 1)
    assert [path.name for path in given.iterdir()] == ["out"]
    assert lethe_here("verify", given / "out")[0] == 0


def test_of_two_deliveries_at_once_one_writes_and_the_other_finds_what_it_wrote(
    words: Words, tmp_path: Path, lethe_here: LetheHere, fork: type[ForkedLethe]
) -> None:
    out = tmp_path / "out"
    with fork(words(out), os.environ) as first, fork(words(out), os.environ) as second:
        said = said_by(first, second)
    assert sum(f"Delivered: {out}\n" in one for one in said) == 1, said
    assert sum(f"Delivered before, and unchanged: {out}\n" in one for one in said) == 1, said
    assert lethe_here("verify", out)[0] == 0


def test_studies_that_share_a_model_deliver_it_at_once_each_into_a_folder_of_its_own(
    words: Words,
    results: Path,
    tmp_path: Path,
    lethe_here: LetheHere,
    fork: type[ForkedLethe],
    hospital: Read,
    run: Run,
) -> None:
    run(hospital(name="twin"), StorageRoot.at(results))
    outs = {name: tmp_path / f"of-{name}" for name in ("hospital", "twin")}
    with (
        fork(words(outs["hospital"]), os.environ) as first,
        fork(words(outs["twin"], "twin"), os.environ) as second,
    ):
        said = said_by(first, second)
    assert all("Delivered: " in one for one in said), said
    given = [(out / "certificate.json").read_bytes() for out in outs.values()]
    assert len({json.loads(one)["models"]["delivered"]["fingerprint"] for one in given}) == 1
    kept = [path for path in (results / "certificates").iterdir() if "opening" not in path.name]
    assert {path.read_bytes() for path in kept} == set(given)
    code, output = lethe_here(*words(outs["hospital"], "twin"))
    assert (code, "holds what the study hospital delivered" in output) == (2, True)


def test_a_pruning_keeps_the_delivered_model_and_a_further_delivery_makes_again_what_else_it_names(
    words: Words, results: Path, tmp_path: Path, lethe_here: LetheHere
) -> None:
    out = tmp_path / "out"
    assert lethe_here(*words(out))[0] in (0, 1)
    weights = load_file(out / "weights.safetensors")
    model = json.loads((out / "certificate.json").read_text())["models"]["delivered"]["fingerprint"]
    code, output = lethe_here("prune", "--results", results, "--budget", "0", "--yes")
    assert (code, f"unlearned_model {model}, " in output) == (1, True)
    assert "stays: it was delivered." in output
    assert "more than the budget of 0.0KB: the rest was delivered, " in output
    kept = {path.parent.name for path in (results / "artifacts").rglob("*.safetensors")}
    assert kept == {model}
    assert "Delivered before, and unchanged" in lethe_here(*words(out))[1]
    shutil.rmtree(out)
    assert lethe_here(*words(out))[0] in (0, 1)
    again = load_file(out / "weights.safetensors")
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], one) for name, one in weights.items())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_a_disk_that_fills_up_in_any_stage_of_a_delivery_is_one_error_and_the_same_command_goes_on(
    words: Words, results: Path, disk: Path, lethe_here: LetheHere, fork: type[ForkedLethe]
) -> None:
    shutil.move(results, disk / "results")
    results.symlink_to(disk / "results")
    out = disk / "given" / "out"
    stages = (
        Fault("os.rename", "unlearned_model", disk),
        Fault("os.rename", "tables/recorded_measures", disk),
        Fault("os.mkdir", ".out.", disk),
        Fault("os.mkdir", "results/certificates", disk),
        Fault("os.rename", "certificate.html", disk),
    )
    for stage in stages:
        with fork(words(out), os.environ, fault=stage) as process:
            [said] = said_by(process)
        assert process.returncode == 2, f"{stage}: {said}"
        assert said.count("The disk is full: free some space") == 1, f"{stage}: {said}"
        (disk / "fill").unlink()
        assert not list(disk.rglob("*.tmp"))
        assert not out.exists()
    assert lethe_here(*words(out))[0] in (0, 1)
    assert lethe_here("verify", out)[0] == 0


def test_on_a_full_disk_a_purge_removes_nothing_and_a_pruning_makes_room_for_it(
    results: Path, disk: Path, lethe_here: LetheHere
) -> None:
    shutil.move(results, disk / "results")
    where = ("--results", disk / "results", "--yes")
    asked = ("purge", "--study", "hospital", "--request", "random 20 % with control", *where)
    before = sorted(path for path in (disk / "results").rglob("*") if path.is_file())
    fill(disk)
    code, output = lethe_here(*asked)
    assert (code, "The disk is full: free some space" in output) == (2, True)
    assert sorted(path for path in (disk / "results").rglob("*") if path.is_file()) == before
    assert lethe_here("prune", *where, "--kinds", "saliency")[0] == 0
    assert lethe_here(*asked)[0] == 0

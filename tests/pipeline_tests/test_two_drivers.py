"""Two runs of one study at once: one works, the other says so, waits and goes on by itself."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path

import pytest
from forked_lethe import ForkedLethe, ended
from rich.console import Console

from lethe.pipeline.api import run as lethe_run
from lethe.results import query
from lethe.storage.root import StorageError, StorageRoot
from lethe.storage.writer_lock import Holder, StudyHeldError, writing_study

Lethe = Callable[..., ForkedLethe]
LetheHere = Callable[..., tuple[int, str]]
WriteStudy = Callable[..., Path]
NUMBERS = "select number, lr, density, ua, ra, va, mia, gap, status from trials order by number"
LONG = {"epochs": 20, "batch_size": 32, "lr": 0.1}
"""Trained for longer than it takes a second run to find the first at work."""

DEAD_S = 2.0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody looks and counts often, and is thought dead soon."""
    for name, seconds in (("LOOK_S", 0.05), ("RENEW_S", 0.05), ("DEAD_S", DEAD_S), ("GIVE_UP_S", 1.0)):
        monkeypatch.setattr(f"lethe.storage.writer_lock.{name}", seconds)


@pytest.fixture(params=["local", "objects"])
def root(request: pytest.FixtureRequest, tmp_path: Path, impatient: None) -> StorageRoot:
    where = tmp_path / "results" if request.param == "local" else f"memory://{tmp_path.name}"
    return StorageRoot.at(where).prepared()


@pytest.fixture
def patient(root: StorageRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is thought dead for not having counted."""
    monkeypatch.setattr("lethe.storage.writer_lock.DEAD_S", 1e9)


class Witness:
    """Holds a study in a thread and remembers what it was told."""

    def __init__(self, root: StorageRoot, study: str = "s") -> None:
        self.said: list[str] = []
        self.lost: list[str] = []
        self.holds = threading.Event()
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(root, study), daemon=True)
        self._thread.start()

    def _hold(self, root: StorageRoot, study: str) -> None:
        with writing_study(root, study, say=self.said.append, on_lost=self.lost.append):
            self.holds.set()
            self._leave.wait()

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def take_turns(root: StorageRoot) -> None:
    """Let four wait at once, and see that one of them holds the study at a time and none loses it."""
    witnesses = [Witness(root) for _ in range(4)]
    while witnesses:
        eventually(lambda: any(witness.holds.is_set() for witness in witnesses))
        [holding] = [witness for witness in witnesses if witness.holds.is_set()]
        holding.leave()
        witnesses.remove(holding)
        assert holding.lost == []


def lock(root: StorageRoot) -> Holder:
    return Holder.read(root.read("locks/s.json"))


def eventually(fact: Callable[[], object]) -> None:
    until = time.monotonic() + 300
    while not fact():
        assert time.monotonic() < until, "not within five minutes"
        time.sleep(0.01)


def test_a_lease_is_there_while_a_study_is_held_and_counts(root: StorageRoot) -> None:
    with writing_study(root, "s", say=pytest.fail, on_lost=pytest.fail):
        first = lock(root)
        assert (first.pid, first.host) == (os.getpid(), os.uname().nodename)
        eventually(lambda: lock(root).count > first.count + 2)
        with writing_study(root, "other", say=pytest.fail, on_lost=pytest.fail):
            pass
    assert not root.exists("locks/s.json")


def test_a_lease_is_given_back_when_the_work_fails(root: StorageRoot) -> None:
    with pytest.raises(KeyboardInterrupt), writing_study(root, "s", say=pytest.fail, on_lost=pytest.fail):
        raise KeyboardInterrupt
    assert not root.exists("locks/s.json")


def test_who_waits_is_told_once_by_whom_and_goes_on_when_the_first_ends(root: StorageRoot) -> None:
    first = Witness(root)
    eventually(first.holds.is_set)
    second = Witness(root)
    eventually(lambda: second.said)
    time.sleep(DEAD_S + 0.5)
    assert not second.holds.is_set(), "a living holder's study was taken"
    first.leave()
    eventually(second.holds.is_set)
    second.leave()
    [said] = second.said
    assert f"being run by process {os.getpid()} on" in said
    assert first.lost == second.lost == []


def test_one_of_several_that_wait_has_the_study_at_a_time(root: StorageRoot, patient: None) -> None:
    take_turns(root)


def dead_of_this_machine(root: StorageRoot) -> None:
    """Leaves the lock of a process that has ended, of this machine."""
    process = subprocess.Popen(["true"])
    process.wait()
    root.write("locks/s.json", replace(Holder.here(), id="dead", pid=process.pid).text())


def dead_whose_number_is_used_again(root: StorageRoot) -> None:
    root.write("locks/s.json", replace(Holder.here(), id="dead", started="1").text())


@pytest.mark.parametrize("dead", [dead_of_this_machine, dead_whose_number_is_used_again])
def test_the_dead_of_this_machine_are_seen_at_once(
    root: StorageRoot, dead: Callable[[StorageRoot], None], patient: None
) -> None:
    dead(root)
    with writing_study(root, "s", say=pytest.fail, on_lost=pytest.fail):
        assert lock(root).id != "dead"


def test_a_zombie_is_dead(root: StorageRoot, patient: None) -> None:
    process = subprocess.Popen(["sleep", "600"])
    started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    root.write("locks/s.json", replace(Holder.here(), id="dead", pid=process.pid, started=started).text())
    process.kill()
    with writing_study(root, "s", say=lambda text: None, on_lost=pytest.fail):
        assert lock(root).id != "dead"
    process.wait()


@pytest.mark.parametrize(
    "left",
    [
        replace(Holder.here(), id="far", host="far", machine="another boot").text(),
        replace(Holder.here(), id="far", host="far", machine="", pid=2**22 + 1).text(),
        json.dumps({**asdict(Holder.here()), "id": "far", "host": "far", "new": 1}).encode(),
        b"",
    ],
    ids=["another machine", "a machine that cannot tell", "a newer Lethe", "torn"],
)
def test_a_holder_that_counts_no_more_is_dead_after_a_while_and_not_before(root: StorageRoot, left: bytes) -> None:
    root.write("locks/s.json", left)
    began = time.monotonic()
    said: list[str] = []
    with writing_study(root, "s", say=said.append, on_lost=pytest.fail):
        assert time.monotonic() - began >= DEAD_S
        assert lock(root).pid == os.getpid()
    assert len(said) == 1
    assert ("far" in said[0]) == (b'"far"' in left)


def lock_with(**changes: object) -> bytes:
    """The lock of a run elsewhere, with something wrong in it."""
    return json.dumps({**asdict(Holder.here()), "id": "far", "host": "far", "machine": "", **changes}).encode()


HOSTILE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "text": b'"x"',
    "number": b"1",
    "binary": b"\xff\xfe\x00",
    "torn": lock_with()[:-5],
    "nested": b"[" * 10_000,
    "text as pid": lock_with(pid="1"),
    "huge pid": lock_with(pid=10**30),
    "pid of a group": lock_with(pid=-1),
    "pid of all": lock_with(pid=0),
    "truth as pid": lock_with(pid=True),
    "list as count": lock_with(count=[]),
    "null as host": lock_with(host=None),
    "escapes as host": lock_with(host="\x1b]0;x\x07"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_lease_that_cannot_be_read_is_told_at_once_with_what_to_do_and_taken_over(
    tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    root = StorageRoot.at(tmp_path / "results").prepared()
    monkeypatch.setattr("lethe.storage.writer_lock.DEAD_S", 0.3)
    root.write("locks/s.json", content)
    said: list[str] = []

    def say(text: str) -> None:
        assert root.read("locks/s.json") == content, "told after it was taken over"
        said.append(text)

    with writing_study(root, "s", say=say, on_lost=pytest.fail):
        assert lock(root).pid == os.getpid()
    assert f"a run whose lock {root}/locks/s.json cannot be read (" in said[0]
    assert "delete that file" in said[0]
    assert "\x1b" not in said[0]


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_who_does_not_wait_names_the_lease_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    root = StorageRoot.at(tmp_path)
    root.write("locks/s.json", content)
    with (
        pytest.raises(StudyHeldError, match=rf"a run whose lock {tmp_path}/locks/s\.json cannot be read"),
        writing_study(root, "s", on_lost=pytest.fail),
    ):
        pass


def test_a_lease_that_is_no_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    for number, make in enumerate((os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir)):
        make(tmp_path / "locks" / f"{number}.json")
        with (
            pytest.raises(StorageError, match=rf"locks/{number}\.json: wanted a regular file"),
            writing_study(StorageRoot.at(tmp_path), str(number), say=pytest.fail, on_lost=pytest.fail),
        ):
            pass


def test_one_of_several_that_wait_for_a_dead_holder_has_the_study_at_a_time(root: StorageRoot, patient: None) -> None:
    dead_of_this_machine(root)
    take_turns(root)


def test_a_holder_that_was_thought_dead_is_told_who_has_the_study_now(root: StorageRoot) -> None:
    first = Witness(root)
    eventually(first.holds.is_set)
    other = replace(Holder.here(), id="other", host="elsewhere")
    root.write("locks/s.json", other.text())
    eventually(lambda: first.lost)
    assert first.lost == [f"The study was taken over by {other}."]
    first.leave()
    assert lock(root).id == "other", "another's lock was deleted"


def test_a_holder_writes_a_broken_lease_again(root: StorageRoot) -> None:
    first = Witness(root)
    eventually(first.holds.is_set)
    root.write("locks/s.json", b"torn")
    eventually(lambda: root.read("locks/s.json") != b"torn")
    assert lock(root).pid == os.getpid()
    first.leave()
    assert first.lost == []


def test_a_holder_whose_lease_was_removed_is_told(root: StorageRoot) -> None:
    first = Witness(root)
    eventually(first.holds.is_set)
    root.delete("locks/s.json")
    eventually(lambda: first.lost)
    assert "removed" in first.lost[0]
    first.leave()


def test_a_holder_whose_place_is_gone_is_told_where(tmp_path: Path, impatient: None) -> None:
    first = Witness(StorageRoot.at(tmp_path / "results").prepared())
    eventually(first.holds.is_set)
    (tmp_path / "results").rename(tmp_path / "moved")
    eventually(lambda: first.lost)
    assert f"{tmp_path}/results" in first.lost[0]
    first.leave()
    assert not (tmp_path / "results").exists()


def numbers(results: Path) -> list[dict[str, object]]:
    records: list[dict[str, object]] = query(NUMBERS, results).to_pylist()
    return records


def wait_until_said(process: ForkedLethe, text: str) -> str:
    """Returns what the process printed up to the line that holds the text."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"ended without saying {text}: {said}")


def rest(process: ForkedLethe) -> tuple[int, str]:
    assert process.stdout is not None
    with process.stdout as stream:
        output = stream.read()
    return process.wait(60), output


def check_is_clean(study: Path, results: Path, lethe_here: LetheHere, alone: Path) -> None:
    """Nothing is there twice or broken, and the numbers are those of one run alone.

    What a killed writer left half written has a hidden name: no reader takes it for anything, and prune removes it.
    """
    for table, key in (("trials", "trial_id"), ("confirmations", "confirmation_id"), ("artifacts", "artifact_id")):
        [counts] = query(f"select count(*) n, count(distinct {key}) m from {table}", results).to_pylist()
        assert counts["n"] == counts["m"] > 0
    for manifest in (results / "artifacts").glob("*/*/manifest.json"):
        files = {entry["file"] for entry in json.loads(manifest.read_text())["files"].values()}
        whole = {path.name for path in manifest.parent.iterdir() if not path.name.startswith(".")}
        assert whole == files | {"manifest.json"}
    assert not (results / "quarantine").exists()
    assert list((results / "locks").iterdir()) == []
    code, output = lethe_here("run", study, "--results", alone, "--local")
    assert code == 0, output
    assert numbers(results) == numbers(alone)


def test_of_two_runs_started_together_one_waits_and_both_end_with_the_same_table(
    lethe: Lethe, lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path
) -> None:
    study, results = write_study(), tmp_path / "results"
    both = [lethe("run", study, "--results", results, "--local") for _ in range(2)]
    outputs = []
    for process in both:
        code, output = ended(process)
        assert code == 0, output
        outputs.append(output)
    waited = [output for output in outputs if "The study tiny is being run by process" in output]
    assert len(waited) == 1
    tables = [output[output.index("oracle (noise floor)") :] for output in outputs]
    assert tables[0] == tables[1]
    check_is_clean(study, results, lethe_here, tmp_path / "alone")


def test_who_waits_goes_on_by_itself_when_the_first_is_killed(
    lethe: Lethe, lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path
) -> None:
    """The first is frozen once it has made a model: the second finds it at work, however long it takes to look."""
    study, results = write_study(training=LONG, search={"trials": 10, "window": 3}), tmp_path / "results"
    first = lethe("run", study, "--results", results, "--local")
    eventually(lambda: list(results.glob("artifacts/*/*/manifest.json")))
    first.send_signal(signal.SIGSTOP)
    assert not (results / "tables" / "confirmations").exists(), "the first had nothing left to do"
    said = StringIO()

    def kill_the_first() -> None:
        eventually(lambda: "waiting until it ends" in said.getvalue())
        first.send_signal(signal.SIGKILL)
        first.communicate()

    with ThreadPoolExecutor(1) as beside:
        killing = beside.submit(kill_the_first)
        second = lethe_run(study, results, local=True, console=Console(file=said, width=1000))
        killing.result()
    assert f"process {first.pid} on" in said.getvalue()
    assert second.problems == ()
    check_is_clean(study, results, lethe_here, tmp_path / "alone")


def test_ctrl_c_ends_the_wait(lethe: Lethe, write_study: WriteStudy, tmp_path: Path) -> None:
    results = StorageRoot.at(tmp_path / "results").prepared()
    with writing_study(results, "tiny", say=pytest.fail, on_lost=pytest.fail):
        process = lethe("run", write_study(), "--results", results, "--local")
        said = wait_until_said(process, "waiting until it ends")
        assert f"process {os.getpid()} on" in said
        process.send_signal(signal.SIGINT)
        code, output = rest(process)
        assert code == 130, output
        assert "the same command goes on from here" in output
        assert Holder.read(results.read("locks/tiny.json")).pid == os.getpid()

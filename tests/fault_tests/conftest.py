"""Runs whose processes can be found and killed: each on a Ray of its own, told apart by its temporary folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from forked_lethe import ForkedLethe
from rich.console import Console
from safetensors.torch import load

from lethe.artifacts import ArtifactStore, ArtifactWorker, Needed, build_jobs
from lethe.execution import ray_settings as settings
from lethe.execution.claims import LocalClaims
from lethe.execution.connect import connect
from lethe.execution.shared_data import SharedData
from lethe.execution.stop import Stop
from lethe.execution.supervision import Watch
from lethe.execution.worker_pool import LocalWorkerPool
from lethe.pipeline.plan import make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import Resources, read_study

PATIENCE_S = 480.0
"""What a wait of a test may take: on a busy machine a worker needs half a minute to start."""

LOOK_S = 0.2
"""Seconds between two looks: each reads what a run has left, on the cores that the run computes on."""

NUMBERS = """
select method_search, number, setting, status, epochs_done, threshold, ua, ra, va, mia, gap, gap_per_seed, error
from trials order by method_search, number
"""

CONFIRMED = """
select * exclude (seconds_total, seconds_unlearn, seconds_saliency, seconds_retrain, retrain_share, tuning_seconds,
                  peak_memory_bytes, worker, node, code_version, ray_version, started_at, ended_at)
from confirmations order by confirmation_id
"""


def eventually(fact: Callable[[], Any], what: str, look_s: float = LOOK_S) -> Any:
    """Wait until a fact holds, and return it."""
    until = time.monotonic() + PATIENCE_S
    while not (found := fact()):
        assert time.monotonic() < until, f"not in {PATIENCE_S:g} s: {what}"
        time.sleep(look_s)
    return found


class Results:
    """What a run has left in its results place so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = Store(StorageRoot.at(folder))

    def ask(self, sql: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = query(sql, self.folder).to_pylist()
        return records

    @property
    def numbers(self) -> list[dict[str, Any]]:
        return self.ask(NUMBERS)

    @property
    def confirmed(self) -> list[dict[str, Any]]:
        return self.ask(CONFIRMED)

    @property
    def ended(self) -> int:
        """Count the trials that have ended."""
        return len(self._store.read("trials"))

    def workers_of_trials(self) -> set[int]:
        """Name the processes that have ended a trial."""
        return {int(name.rpartition(":")[2]) for name in self._store.read("trials")["worker"].to_pylist()}

    def epochs_of_checkpoints(self) -> dict[str, int]:
        """Read how far the unfinished trainings are that have a checkpoint, by the fingerprint of what they make."""
        epochs = {}
        for path in self.folder.glob("artifacts/checkpoints/*/*.safetensors"):
            with suppress(FileNotFoundError):
                epochs[path.parent.name] = int(load(path.read_bytes())["epoch"])
        return epochs

    def weights(self) -> dict[str, str]:
        """Return the checksum of the weights of each original and oracle."""
        manifests = [json.loads(path.read_text()) for path in self.folder.glob("artifacts/*/*/manifest.json")]
        return {one["fingerprint"]: one["files"]["weights"]["sha256"] for one in manifests if "weights" in one["files"]}

    def was_continued(self, fingerprint: str) -> bool:
        """Return whether a training took longer than the process that ended it."""
        [manifest] = self.folder.glob(f"artifacts/*/{fingerprint}/manifest.json")
        facts = json.loads(manifest.read_text())["facts"]
        return bool(facts["seconds_train"] > facts["seconds_total"])

    def parts(self) -> set[Path]:
        """Name the files of what has ended and was not compacted yet."""
        return set(self.folder.glob("tables/*s/*/*.parquet"))

    @property
    def confirmed_count(self) -> int:
        """Count the confirmations that have ended."""
        return len(self._store.read("confirmations"))

    def run_here(self, study: Path) -> None:
        """Do what is left of a study in this process, without Ray."""
        with Progress(Console(quiet=True)) as progress:
            run = StudyRun(read_study(study), StorageRoot.at(self.folder), progress)
            run.run(local=True)
        assert not run.problems

    def make_here(self, study: Path, wanted: Callable[[Needed], bool] = lambda needed: True) -> None:
        """Make a study's artifacts, or those that are wanted, in this process, and nothing else of the study."""
        artifacts = ArtifactStore(StorageRoot.at(self.folder))
        plan = make_plan(read_study(study), artifacts, self._store)
        make = partial(ArtifactWorker, artifacts, SharedData(plan.datasets), LocalClaims(), Resources(cpu=1))
        for done in LocalWorkerPool(make, Stop()).do(build_jobs(filter(wanted, plan.missing))):
            assert done.error is None, done.error

    def lend_pool(self, other: "Results", but: str = "false") -> set[str]:
        """Copy the pool to another place but for the artifacts of which a condition holds, and name these."""
        left_out = {row["artifact_id"] for row in self.ask(f"select artifact_id from artifacts where {but}")}
        for folder in self.folder.glob("artifacts/*/*"):
            if folder.name not in left_out:
                shutil.copytree(folder, other.folder / folder.relative_to(self.folder))
        return left_out


class Machine:
    """The Ray processes that were started with a temporary folder: nobody else's."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def processes(self) -> set[int]:
        """Find those that were told the folder: a node's own, but not its workers."""
        return {pid for pid, _ in self._own(_processes())}

    def programs(self) -> set[str]:
        """Name the programs that these run, Python's own among them."""
        return {Path(word).name for _, words in self._own(_processes()) for word in words[:3]}

    def wait_until_empty(self) -> None:
        eventually(lambda: not self.processes(), "no process of this Ray is left")

    def raylets(self) -> set[int]:
        return self.services("raylet")

    def services(self, name: str) -> set[int]:
        return self._services(name, _processes())

    def workers(self, title: str = "", raylet: int | None = None) -> set[int]:
        """Find the workers whose title, which Ray makes of the class and what it does, has this in it."""
        return self._children(lambda words: words[0].startswith("ray::") and title in words[0], raylet)

    def starting_workers(self) -> set[int]:
        """Find the workers that have no title yet."""
        return self._children(lambda words: any(word.endswith("default_worker.py") for word in words[:3]))

    def trial_workers(self) -> set[int]:
        return self.workers("Trainable")

    def freeze(self, raylet: int | None = None) -> set[int]:
        """Stop the trial workers, of one node or of all, once one of them is within a trial, and name them."""

        def frozen() -> set[int]:
            workers = self.workers("Trainable", raylet)
            for worker in workers:
                self.send(worker, signal.SIGSTOP)
            if self.workers("Trainable.train", raylet):
                return workers
            for worker in workers:
                self.send(worker, signal.SIGCONT)
            return set()

        found: set[int] = eventually(frozen, "a trial worker is within a trial", look_s=0.02)
        return found

    def hosts(self) -> set[int]:
        """Find those who train or confirm."""
        return self.workers("WorkerActor")

    def computed_s(self, pid: int) -> float:
        """Return the seconds that a process has computed for."""
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill_all(self, pids: set[int]) -> int:
        """Kill processes, and count those that were there."""
        return sum([self.send(pid) for pid in pids])

    def send(self, pid: int, number: int = signal.SIGKILL) -> bool:
        """Send a signal to a process, and tell whether it was there to get it."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def _children(self, holds: Callable[[list[str]], bool], raylet: int | None = None) -> set[int]:
        """Find the processes that a raylet has started, or any of the raylets, and whose words are like this."""
        processes = _processes()
        raylets = self._services("raylet", processes) if raylet is None else {raylet}
        return {pid for pid, words in processes.items() if holds(words) and parent_of(pid) in raylets}

    def _services(self, name: str, processes: Mapping[int, list[str]]) -> set[int]:
        return {pid for pid, words in self._own(processes) if words[0].endswith(f"/{name}")}

    def _own(self, processes: Mapping[int, list[str]]) -> Iterator[tuple[int, list[str]]]:
        return ((pid, words) for pid, words in processes.items() if any(self.folder in word for word in words))


def _processes() -> dict[int, list[str]]:
    """Read the command line of every process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = (entry / "cmdline").read_text().split("\0")
    return found


def parent_of(pid: int) -> int | None:
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Run:
    """A run of the command in a session of its own, as in a terminal of its own."""

    def __init__(self, machine: Machine, process: ForkedLethe, results: Results) -> None:
        self.machine = machine
        self.results = results
        self._process = process
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self._said)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait_until(self, fact: Callable[[], Any], what: str, look_s: float = LOOK_S) -> Any:
        """Wait for a fact while the run goes on, and return it."""

        def holds() -> Any:
            found = fact()
            assert found or not self.is_over, f"the run ended before {what}:\n{self.said}"
            return found

        return eventually(holds, what, look_s)

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal sends it to every process in the foreground."""
        os.killpg(self.pid, signal.SIGINT)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def code(self) -> int:
        """Wait for the end."""
        try:
            code = self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not over in {PATIENCE_S:g} s:\n{self.said}")
        self._reader.join()
        self._process.stdout.close()
        return code

    def complete(self) -> "Results":
        """Wait for a good end, and give what it left."""
        assert self.code() == 0, self.said
        return self.results

    def _read(self) -> None:
        self._said.extend(self._process.stdout)


@pytest.fixture
def machine_here(ray_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A temporary folder of its own for the Ray that this process starts."""
    machine = Machine(tempfile.mkdtemp(prefix="lr-"))
    for name, value in (ray_environment | {"RAY_TMPDIR": machine.folder}).items():
        monkeypatch.setenv(name, value)
    settings.set_mode("token")
    return machine


Start = Callable[..., Run]


@pytest.fixture
def start(ray_environment: dict[str, str], results: Results, fork: type[ForkedLethe]) -> Iterator[Start]:
    """Starts `lethe run` on Ray, on its own one unless another machine is given. What is left at the end is killed."""
    runs: list[Run] = []

    def start(study: Path, *arguments: object, machine: Machine | None = None, **environment: str) -> Run:
        machine = machine or Machine(tempfile.mkdtemp(prefix="lr-"))
        environment = ray_environment | {"RAY_TMPDIR": machine.folder} | environment
        words = ["run", str(study), *map(str, arguments), "--results", str(results.folder)]
        run = Run(machine, fork(words, os.environ | environment, new_session=True), results)
        runs.append(run)
        return run

    yield start
    for run in runs:
        if not run.is_over:
            run.kill()
        run.code()


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Where the runs of the test leave their results."""
    return Results(tmp_path / "results")


@pytest.fixture
def calm_results(tmp_path: Path) -> Results:
    """Where the test itself makes, undisturbed, what it compares with."""
    return Results(tmp_path / "calm")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Results]:
    """Runs a study in this process, where nothing disturbs it; once for all tests with the same study."""
    found: dict[str, Results] = {}

    def run(path: Path) -> Results:
        text = path.read_text()
        if text not in found:
            found[text] = Results(tmp_path_factory.mktemp("undisturbed"))
            found[text].run_here(path)
        return found[text]

    return run


@pytest.fixture(scope="module")
def ray_here(ray_environment: dict[str, str]) -> Iterator[None]:
    """Ray in this process: two cores, a GPU that is in the books alone, and a GiB of memory."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ray_environment.items():
            patch.setenv(name, value)
        settings.set_mode("token")
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=1,
            _memory=1 << 30,
            _temp_dir=ray_environment["RAY_TMPDIR"],
            include_dashboard=False,
            logging_level="ERROR",
            log_to_driver=False,
        )
        yield
        ray.shutdown()


class Witness:
    """Keeps an eye on work, and remembers what is told."""

    def __init__(self, hung_after_s: float = 600.0) -> None:
        self.stop = Stop()
        self.said: list[str] = []
        self.watch = Watch(self.stop, hung_after_s, self.said.append)

    def said_of(self, matter: str) -> list[str]:
        return [said for said in self.said if matter in said]


@pytest.fixture
def witness() -> Callable[..., Witness]:
    return Witness


class Nodes:
    """A cluster of nodes of one core each around a head without any; a node can be lost at any moment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.machine = Machine(environment["RAY_TMPDIR"])
        self.environment = environment | {
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            "RAY_health_check_initial_delay_ms": "1000",
            "RAY_health_check_period_ms": "1000",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._count = 0
        self._head = self._start("--head", "--port=0", "--num-cpus=0", "--include-dashboard=false", "--no-monitor")
        self.address = (Path(self.machine.folder) / "ray" / "ray_current_cluster").read_text()

    def add(self) -> int:
        """Start a node of one core; return its raylet's pid."""
        return self._start(f"--address={self.address}", "--num-cpus=1")

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Have this process join the cluster, as a run does."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            settings.set_mode("token")
            with connect(self.address):
                yield

    def lose(self, raylet: int, frozen: Iterable[int] = ()) -> None:
        """Kill a node, and those of its workers that are frozen: the others end with it."""
        assert self.machine.send(raylet)
        self.machine.kill_all(set(frozen))

    def end_nodes(self) -> None:
        """Kill the nodes but the head."""
        for raylet in self._started.keys() - {self._head}:
            self._end(raylet)

    def end(self) -> None:
        """Kill the nodes with all that they have started: asked to end, they may take a minute."""
        for raylet in list(self._started):
            self._end(raylet)
        self.machine.kill_all(self.machine.processes())

    def _end(self, raylet: int) -> None:
        process = self._started.pop(raylet)
        self.machine.kill_all({raylet} & self.machine.raylets())
        process.kill()
        process.wait()

    def _start(self, *options: str) -> int:
        before = self.machine.raylets()
        command = ["ray", "start", "--block", "--disable-usage-stats", "--include-log-monitor=false", *options]
        self._count += 1
        log = Path(self.machine.folder) / f"node-{self._count}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | self.environment, cwd="/")

        def is_up() -> bool:
            said = log.read_text()
            assert process.poll() is None, said
            return "will now block forever" in said

        eventually(is_up, "a node is up")
        [raylet] = self.machine.raylets() - before
        self._started[raylet] = process
        return raylet


@pytest.fixture(scope="module")
def cluster(ray_environment: dict[str, str]) -> Iterator[Nodes]:
    """The head of the cluster that the tests of a file share."""
    cluster = Nodes(ray_environment | {"RAY_TMPDIR": tempfile.mkdtemp(prefix="lr-")})
    yield cluster
    cluster.end()


@pytest.fixture
def nodes(cluster: Nodes) -> Iterator[Nodes]:
    """The cluster with the nodes of one test alone."""
    yield cluster
    cluster.end_nodes()

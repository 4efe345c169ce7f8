"""A study so small that its whole run takes seconds, the command as users run it, and rows of every table."""

import gc
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from forked_lethe import ForkedLethe, prepare
from pyarrow import fs
from typer.testing import CliRunner

from lethe.cli import app
from lethe.results import (
    ArtifactRow,
    BoardRow,
    CalibrationRow,
    ConfirmationRow,
    EpochRow,
    MeasureRow,
    PredictionRow,
    PriorsRow,
    Row,
    Store,
    StudyRow,
    TrialRow,
)
from lethe.storage.root import StorageRoot
from unlearning.families import Family

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores Ctrl-C
torch.set_num_threads(1)  # networks this small lose time to a second thread, and see LOG.md
os.environ.pop("LETHE_RESULTS", None)  # what tests run without a place named goes to theirs, not to somebody's results
gc.disable()  # until the tests are collected: what is there by then stays, and looking through it takes half the time

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": [{"source": "synthetic", "train": 160, "val": 80, "test": 80, "size": 12, "classes": 3}],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 4},
    "training": {"epochs": 3, "batch_size": 32, "lr": 0.1},
    "methods": [
        {
            "name": "salun",
            "epochs": 2,
            "batch_size": 32,
            "search": {
                "lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True},
                "density": {"low": 0.1, "high": 0.9},
            },
        }
    ],
    "search": {"trials": 5, "window": 2},
    "seeds": {"tuning": [0], "reporting": [1, 2]},
}

OWN_PACKAGE = {
    "__init__": "",
    "nets": """
from torch import nn


def build(channels, classes, width):
    convolution = nn.Conv2d(channels, width, kernel_size=3)
    return nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, classes))
""",
    "training": """
def train(data, seed, epochs):
    from wardcode.steps import step

    for epoch in range(1, epochs + 1):
        data.epoch(epoch, step(data, epoch))
    return data.network.state_dict()
""",
    "steps": """
import torch
from torch.nn.functional import cross_entropy

from . import nets


def step(data, epoch):
    assert isinstance(data.network, torch.nn.Module) and nets.build
    for batch in data.order(epoch).split(32):
        loss = cross_entropy(data.network(data.images[batch].float() / 255), data.labels[batch])
        gradients = torch.autograd.grad(loss, list(data.network.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(data.network.parameters(), gradients):
                parameter -= 0.1 * gradient
    return loss.item()
""",
}
"""A package with a network and a training function, which imports a part of it when it is called."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts the files that have slow tests first: where files run side by side, none of them is left to the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[..., Path]:
    """Writes the tiny study, with other top-level options where they are given, and names its file."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "tiny.yaml"
        options = TINY | changes
        training = {"precision": "float32"} | options["training"]
        path.write_text(yaml.safe_dump(options | {"training": training}))
        return path

    return write


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Options of a study beside which a package has its network and its training function; Python forgets it after."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "wardcode").mkdir()
    for name, text in OWN_PACKAGE.items():
        (tmp_path / "wardcode" / f"{name}.py").write_text(text)
    yield {
        "network": {"import": "wardcode.nets:build", "args": {"width": 4}},
        "training": {"import": "wardcode.training:train", "args": {"epochs": 2}},
    }
    for name in [one for one in sys.modules if one.partition(".")[0] == "wardcode"]:
        del sys.modules[name]


@pytest.fixture
def add_part(monkeypatch: pytest.MonkeyPatch) -> Callable[[Family[Any], Any], None]:
    """Adds a part to a family as a program does, for one test."""

    def add(family: Family[Any], part: Any) -> None:
        monkeypatch.setattr(family, "_added", dict(family._added))
        family.add(part)

    return add


@pytest.fixture(scope="session")
def ray_environment() -> dict[str, str]:
    """A temporary folder and a token of their own for the Ray clusters that tests start."""
    folder = tempfile.mkdtemp(prefix="lr-")
    return {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}


@pytest.fixture(scope="session")
def example_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package that docs/extending.md shows, each file after a line that begins with its path."""
    page = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
    named = re.compile(r"^`([\w/]+\.\w+)`[^\n]*:\n\n```(?:python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    folder = tmp_path_factory.mktemp("example")
    for name, text in named.findall(page):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "lethe_example" / "__init__.py").touch()
    return folder


@pytest.fixture(scope="session")
def installed(example_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the example plug-in into, from its wheel."""
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("site")
    shutil.copytree(example_package, source)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(target), str(source)], check=True, timeout=300)
    return target


@pytest.fixture(scope="session")
def fork() -> type[ForkedLethe]:
    """What starts a process of the command."""
    prepare()
    return ForkedLethe


@pytest.fixture
def lethe(ray_environment: dict[str, str], fork: type[ForkedLethe]) -> Callable[..., ForkedLethe]:
    """Starts the command in a process of its own, on Ray in the environment of the tests unless another is given."""

    def start(*arguments: object, environment: dict[str, str] = ray_environment) -> ForkedLethe:
        return fork([*map(str, arguments)], os.environ | environment)

    return start


@pytest.fixture(scope="session")
def lethe_here() -> Callable[..., tuple[int, str]]:
    """Runs the command in this process, which has imported what it needs, and gives its exit code and output."""

    def run(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*map(str, arguments)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return run


@pytest.fixture(scope="session")
def document() -> Callable[..., dict[str, Any]]:
    """Runs the command with `--json` in this process, and gives what it prints on stdout: one document and no more."""

    def run(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        assert done.exit_code == exit_code, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        assert found.keys() == {"lethe_json", "command", "exit_code", "problems", "error", "answer"}
        assert (found["lethe_json"], found["exit_code"]) == (1, exit_code)
        assert (found["answer"] is None) == (found["error"] is not None)
        return found

    return run


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Where an S3-compatible server listens, as HOST:PORT."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while True:
        assert server.poll() is None, "moto's server ended"
        assert time.monotonic() < until, "moto's server does not answer"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield f"127.0.0.1:{port}"
    server.terminate()
    server.wait(30)


@pytest.fixture
def s3_bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a bucket that exists, with credentials in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = f"endpoint_override={s3_endpoint}&scheme=http&region=us-east-1"
    store, _ = fs.FileSystem.from_uri(f"s3://lethe-test?{options}&allow_bucket_creation=true")
    store.create_dir("lethe-test")
    return f"s3://lethe-test?{options}"


ROW_STUDY = {"study": "s", "dataset": "bloodmnist", "augmentation": "none", "network": "resnet18"} | dict.fromkeys(
    ("train_duplicates", "val_dropped", "test_dropped"), 0
)

ROW_SCENARIO = ROW_STUDY | {
    "scenario": "q",
    "forget": "random 10 %",
    "forget_kind": "random",
    "forget_fraction": 0.1,
    "forget_images": 1196,
    "forget_duplicates": 0,
}

ROW_PROVENANCE = {
    "seconds_total": 5.5,
    "peak_memory_bytes": 1 << 33,
    "device": "cpu",
    "worker": "local",
    "node": "here",
    "lethe_version": "0.1.0",
    "python_version": "3.11.7",
    "torch_version": "2.13.0",
    "started_at": datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC),
    "ended_at": datetime(2026, 11, 23, 9, 31, tzinfo=UTC),
}

ROW_SETTING = {
    "method": "salun",
    "lr": 0.013,
    "density": 0.5,
    "epochs": 10,
    "setting": '{"name": "salun", "lr": 0.013}',
}

ROW_SECONDS = {"seconds_unlearn": 3.0, "seconds_evaluate": 1.0, "seconds_attack": 0.5}

ROW_VALUES: dict[type[Row], dict[str, Any]] = {
    TrialRow: ROW_SCENARIO
    | ROW_SETTING
    | ROW_PROVENANCE
    | ROW_SECONDS
    | {
        "trial_id": "t0",
        "method_search": "c",
        "number": 0,
        "study_seed": 0,
        "training_seeds": [0, 1],
        "unlearning_seeds": [2**62, 7],
        "status": "done",
        "epochs_done": 10,
        "ua": 0.25,
        "gap": 0.1,
        "gap_per_seed": [0.05, 0.15],
        "originals": ["a", "b"],
        "oracles": ["d", "e"],
        "seconds_load": 0.5,
    },
    EpochRow: ROW_SECONDS
    | {"study": "s", "trial_id": "t0", "method_search": "c", "epoch": 1, "loss": 0.7, "gap_per_seed": []},
    ConfirmationRow: ROW_SCENARIO
    | ROW_SETTING
    | ROW_PROVENANCE
    | {
        "confirmation_id": "k0",
        "row": "salun",
        "training_seed": 1,
        "status": "done",
        "mia_nonmembers": "val",
        "recall_per_class": [0.5, 1.0],
        "original": "a",
        "oracle": "d",
    },
    MeasureRow: {
        "study": "s",
        "unit_kind": "confirmation",
        "unit_id": "k0",
        "training_seed": 1,
        "metric": "ua",
        "version": 1,
        "split": "forget",
        "value": 0.2,
        "n": 16,
    },
    PredictionRow: {
        "study": "s",
        "scenario": "q",
        "confirmation_id": "k0",
        "row": "salun",
        "training_seed": 1,
        "image": 5,
        "label": 0,
        "label_name": "basophil",
        "predicted": 1,
        "predicted_name": "eosinophil",
        "confidence": 0.25,
    },
    BoardRow: {
        "study": "s",
        "specification_id": "y",
        "run_at": datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        "margin": 0.01,
        "scenario": "q",
        "data_hash": "d",
        "forget_hash": "f",
        "recipe": "r",
        "training": "20 epochs, batch 64, lr 0.1, cosine",
        "row": "salun",
        "method": "salun",
        "training_seed": 1,
        "role": "reporting",
        "confirmation_id": "k0",
        "tuning_seeds": [0],
    },
    PriorsRow: {
        "study": "s",
        "priors_id": "b",
        "method_search": "c",
        "scenario": "q",
        "row": "salun",
        "priors": '{"priors": []}',
        "recorded_at": datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    },
    StudyRow: {
        "study": "s",
        "specification_id": "y",
        "specification": "name: s",
        "lethe_version": "0.1.0",
        "started_at": datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    },
    ArtifactRow: ROW_STUDY
    | ROW_PROVENANCE
    | {"artifact_id": "a", "kind": "original", "training_seed": 1, "uri": "artifacts/a", "bytes": 10},
    CalibrationRow: ROW_PROVENANCE
    | {
        "study": "s",
        "packing_id": "p",
        "method_search": "c",
        "machine": "1 x H100, 16 CPU",
        "workers": 4,
        "threads": 4,
        "seconds_step": 0.25,
        "seconds_epoch": 2.5,
        "epochs_per_hour": 5760.0,
        "memory_bytes": 1 << 36,
        "mps": False,
        "chosen": True,
        "reason": "4 trials at a time",
    },
}


@pytest.fixture
def make() -> Callable[..., Any]:
    """Makes a row of a type, with some values changed."""

    def row(row_type: type[Row], **changes: Any) -> Row:
        return row_type(**ROW_VALUES[row_type] | changes)

    return row


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(StorageRoot.at(tmp_path / "results"))


@pytest.fixture
def confirm(store: Store, make: Callable[..., Any]) -> Callable[..., None]:
    """Records a row of a board, with one gap a seed from 1 on.

    Models lie on a line in the space of the four measures: the oracles where their own numbers say, any other model its
    gap away from the oracle of its seed. So the gap between two oracles is the difference of their numbers.
    """
    boards: dict[tuple[str, str], list[BoardRow]] = {}
    oracles: dict[tuple[str, int], float] = {}

    def record(row: str, gaps: Sequence[float | None], *, seeds: Sequence[int] = range(1, 100), **changes: Any) -> None:
        scenario = changes.get("scenario", "q")
        for seed, gap in zip(seeds, gaps, strict=False):
            if row == "oracle":
                oracles[scenario, seed] = gap or 0.0
            base = oracles.get((scenario, seed), 0.0)
            at = base if row == "oracle" else base + (gap or 0.0)
            measures = _measures(at) if gap is not None else {}
            measures |= {f"oracle_{name}": value for name, value in _measures(base).items()}
            common = {"row": row, "method": row.split()[0], "training_seed": seed, "scenario": scenario}
            setting = [changes["setting"]] if "setting" in changes else []
            name = "-".join(map(str, (*row.split(), scenario, *setting, seed)))
            common["confirmation_id"] = re.sub(r"[^A-Za-z0-9._-]+", "-", name)
            values = {"gap": gap, "setting": '{"name": ""}'} | measures | common | changes
            store.append([make(ConfirmationRow, **_of(ConfirmationRow, _without(values, "role")))])
            board = make(BoardRow, **_of(BoardRow, common | changes))
            boards.setdefault((board.study, board.specification_id), []).append(board)
            store.append(boards[board.study, board.specification_id])

    return record


@pytest.fixture
def audited(store: Store, make: Callable[..., Any], confirm: Callable[..., None]) -> Callable[..., None]:
    """Records a row and what an audit found of it, a value a seed from 1 on, in one statistic or in several."""

    def record(row: str, values: Sequence[float], *further: dict[str, Any], **changes: Any) -> None:
        confirm(row, [0.0] * len(values), **{name: changes.pop(name) for name in ("role",) if name in changes})
        for seed in range(1, len(values) + 1):
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{row.replace(' ', '-')}-q-{seed}")
            unit = {"unit_id": name, "training_seed": seed, "audit": "own", "looks_at": "outputs", "version": 1}
            statistics = [{"metric": "own_auc", "test": "difference", "values": values} | changes, *further]
            store.append(
                [
                    make(MeasureRow, **unit | _without(one, "values"), value=one["values"][seed - 1])
                    for one in statistics
                ]
            )

    return record


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def _measures(at: float) -> dict[str, float]:
    return {"ua": 0.2 + at, "ra": 0.9 - at, "ta": 0.8 - at, "mia": 0.3 + at}


def _of(row_type: type[Row], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in row_type.__dataclass_fields__}

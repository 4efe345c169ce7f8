"""A package outside the repository: installed, listed, checked, and used from YAML and from Python."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lethe.results import query

Python = Callable[..., Any]
WriteStudy = Callable[..., Path]

METHOD = {
    "name": "alternate",
    "epochs": 1,
    "batch_size": 32,
    "climbs": 2,
    "search": {"lr": {"low": 1.0e-4, "high": 1.0e-3, "log": True}},
}
PLUGGED = {
    "data": [{"source": "stripes"}],
    "network": {"name": "perceptron", "width": 8},
    "training": {"epochs": 2, "batch_size": 32, "lr": 0.1},
    "methods": [METHOD],
    "search": {"trials": 2, "window": 1, "startup": 1},
    "seeds": {"tuning": [0], "reporting": [1, 2]},
    "metrics": ["forget_loss"],
    "audits": [{"name": "surer"}],
}
PACKAGES = "select distinct method, method_package, network_package, source_package from {} order by method"


def lethe(python: Python, *arguments: object) -> Any:
    return python("-c", "from lethe.cli import main; main()", *arguments)


def test_a_study_in_yaml_uses_all_parts_of_the_package_and_its_rows_name_it(
    python: Python, write_study: WriteStudy, tmp_path: Path
) -> None:
    study, results = write_study(**PLUGGED), tmp_path / "results"
    done = lethe(python, "run", study, "--local", "--results", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "alternate" in done.stdout
    plugged = {"network_package": "lethe-example 1.2", "source_package": "lethe-example 1.2"}
    [trials] = query(PACKAGES.format("trials"), results).to_pylist()
    assert trials == {"method": "alternate", "method_package": "lethe-example 1.2"} | plugged
    confirmed = {row.pop("method"): row for row in query(PACKAGES.format("confirmations"), results).to_pylist()}
    assert confirmed["alternate"] == {"method_package": "lethe-example 1.2"} | plugged
    assert confirmed["original"]["method_package"].startswith("lethe ")
    metrics = "select distinct version, package from measures where metric = 'forget_loss'"
    assert query(metrics, results).to_pylist() == [{"version": 1, "package": "lethe-example 1.2"}]
    audits = "select distinct version, package from measures where metric = 'surer_share'"
    assert query(audits, results).to_pylist() == [{"version": 1, "package": "lethe-example 1.2"}]
    [setting] = query("select distinct setting->>'climbs' climbs from trials", results).column("climbs").to_pylist()
    assert setting == "2"


def test_its_options_are_checked_as_built_in_ones_are_all_at_once(python: Python, write_study: WriteStudy) -> None:
    wrong: dict[str, Any] = {
        "data": [{"source": "stripes", "count": 1, "colour": "red"}],
        "network": {"name": "perceptron", "width": 0},
        "methods": [METHOD | {"climbs": 0, "clims": 2}, {"name": "alternat"}],
        "metrics": ["forget_los", 3],
        "audits": [{"name": "surer", "oracles": 0, "orcles": 2}, {"name": "sure"}],
    }
    done = lethe(python, "plan", write_study(**PLUGGED | wrong))
    assert done.returncode == 2
    roots = {line.strip().partition(":")[0] for line in done.stderr.splitlines()[1:]}
    assert roots == {
        "data.0.count",
        "data.0.colour",
        "network.width",
        "methods.0.climbs",
        "methods.0.clims",
        "methods.1",
        "metrics.0",
        "metrics.1",
        "audits.0.oracles",
        "audits.0.orcles",
        "audits.1.name",
    }
    assert "metrics.0: unknown metric 'forget_los'; did you mean forget_loss? The metrics are ua, " in done.stderr
    assert "did you mean alternate? The methods are salun, " in done.stderr
    assert "alternate (lethe-example 1.2)" in done.stderr
    assert "audits.1.name: unknown audit 'sure'; did you mean surer? The audits are control, " in done.stderr
    assert "(lethe 0.1.0), surer (lethe-example 1.2)" in done.stderr


MANY = """
import json, sys
from typer.testing import CliRunner
from lethe.cli import app

for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, arguments)
    print(json.dumps([done.exit_code, done.stdout, done.stderr]))
"""
"""Runs one command after another in a process that has imported what they need."""


class Said(NamedTuple):
    """What a command said."""

    code: int
    stdout: str
    stderr: str


def test_the_command_lists_it_with_its_package_and_shows_its_options(python: Python) -> None:
    commands = ["methods"], *(["methods", name] for name in ("alternate", "forget_loss", "surer", "alternat"))
    done = python("-c", MANY, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    listed, shown, metric, audit, unknown = (Said(*json.loads(line)) for line in done.stdout.splitlines())
    assert listed.code == 0, listed.stderr
    rows = {tuple(line.split()[:4]) for line in listed.stdout.splitlines()}
    assert {("method", "alternate", "lethe-example", "1.2"), ("network", "perceptron", "lethe-example", "1.2")} <= rows
    assert ("metric", "forget_loss", "lethe-example", "1.2") in rows
    assert {
        ("metric", "ua", "lethe", "0.1.0"),
        ("method", "salun", "lethe", "0.1.0"),
        ("network", "cnn", "lethe", "0.1.0"),
    } <= rows
    [climbs] = [line for line in shown.stdout.splitlines() if line.split()[:1] == ["climbs"]]
    assert " ".join(climbs.split()) == "climbs whole number from 1 1 passes over the forget set in an epoch"
    assert "metric forget_loss, lethe-example 1.2: median loss of the forget set" in metric.stdout
    assert {("unit", "nats"), ("images", "forget")} <= {tuple(line.split()) for line in metric.stdout.splitlines()}
    assert ("audit", "surer", "lethe-example", "1.2") in rows
    about = " ".join(audit.stdout.split())
    assert "audit surer, lethe-example 1.2: Compares the losses of the forget set" in about
    assert "oracles whole number from 1 2 oracles of other training seeds" in about
    assert "surer_share fraction the oracle's value forget images with a lower loss than oracles'" in about
    assert unknown.code == 2
    assert "alternate (lethe-example 1.2)" in unknown.stderr


def test_a_plug_in_that_does_not_load_is_named_and_the_others_are_listed(python: Python, tmp_path: Path) -> None:
    notes = tmp_path / "lethe_broken-0.3.dist-info"
    notes.mkdir()
    (notes / "METADATA").write_text("Metadata-Version: 2.1\nName: lethe-broken\nVersion: 0.3\n")
    (notes / "entry_points.txt").write_text("[lethe.methods]\nmagic = lethe_broken:Magic\n")
    code = "import sys; sys.path.append(sys.argv.pop(1)); from lethe.cli import main; main()"
    done = python("-c", code, tmp_path, "methods")
    assert done.returncode == 1
    assert {line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] == ["method"]} >= {"salun"}
    assert done.stderr.strip() == (
        "plug-in lethe-broken 0.3, entry point magic = lethe_broken:Magic in lethe.methods: cannot be imported: "
        "ModuleNotFoundError: No module named 'lethe_broken'"
    )


def test_its_own_tests_pass(python: Python, example_package: Path, tmp_path: Path) -> None:
    tests = example_package / "tests"
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tests, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


IN_PYTHON = """
import json, pickle
from typing import ClassVar, Literal

from lethe.pipeline.plan import make_plan
from lethe.plugins import added_code_of, packages_of
from lethe.study import parse_study
from lethe_example.methods import Alternate
from unlearning.audits import AUDITS, RMIA
from unlearning.families import PluginError
from unlearning.methods import METHODS
from unlearning.metrics import METRICS, Metric, Value


class Twice(Alternate):
    name: Literal["twice"] = "twice"
    version: ClassVar[int] = 1
    climbs: Literal[2] = 2


def one(evaluation):
    return [Value(None, 1.0)]


class Nearer(RMIA):
    name: Literal["nearer"] = "nearer"
    version: ClassVar[int] = 1


METHODS.add(Twice)
AUDITS.add(Nearer)
METRICS.add(Metric(name="one", version=1, title="one", compute=one))
content = json.loads(CONTENT)
content["metrics"].append("one")
content["audits"].append({"name": "nearer"})
content["methods"].append({"name": "twice", "epochs": 1})
study = parse_study(content, "here")
assert study.methods[1].method is Twice
assert added_code_of(study) == [Twice, one, Nearer]
assert [str(package) for package in packages_of(study)] == ["lethe-example 1.2"]
print(study.methods[1].example)
try:
    METHODS.add(Alternate)
except PluginError as error:
    print(error)
"""


def test_a_program_uses_it_and_adds_a_class_of_its_own(python: Python) -> None:
    content = json.dumps({"name": "here", "forget": [{"kind": "random", "fraction": 0.2}], **PLUGGED})
    done = python("-c", IN_PYTHON.replace("CONTENT", repr(content)))
    assert done.returncode == 0, done.stderr
    assert "name='twice'" in done.stdout
    assert "the method 'alternate' of lethe-example 1.2 exists" in done.stdout


def test_only_the_packages_that_a_study_uses_travel(python: Python, installed: Path) -> None:
    code = """
import json, sys
from lethe.execution.plugin_code import with_plugins
from lethe.execution.runtime_env import runtime_env
from lethe.plugins import packages_of
from lethe.study import parse_study
for content in json.loads(sys.argv[1]):
    print(json.dumps(with_plugins(runtime_env(), packages_of(parse_study(content, "here")))))
"""
    plugged: dict[str, Any] = {"name": "here", "forget": [{"kind": "random", "fraction": 0.2}], **PLUGGED}
    built_in = {"data": [{"source": "synthetic"}], "network": {"name": "cnn"}, "methods": [{"name": "salun"}]}
    done = python("-c", code, json.dumps([plugged, plugged | built_in | {"metrics": [], "audits": []}]))
    assert done.returncode == 0, done.stderr
    with_it, without = map(json.loads, done.stdout.splitlines())
    sent = [[path for path in one["py_modules"] if path.startswith(str(installed))] for one in (with_it, without)]
    assert sent == [[str(installed / folder) for folder in ("lethe_example", "lethe_example-1.2.dist-info")], []]
    assert {"/RECORD", "/direct_url.json"} <= set(with_it["excludes"])
    assert {"/RECORD", "/direct_url.json"} <= set(without["excludes"])

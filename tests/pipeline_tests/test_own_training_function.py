"""A study whose models a function of the user's trains: read, planned, run, stopped, continued, and refused."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lethe.results import query
from lethe.study import StudyError, expand, read_study, write_study
from unlearning.data import DataError, load

LetheHere = Callable[..., tuple[int, str]]

FUNCTION = """
import own_parts
import torch
from torch.nn.functional import cross_entropy


def train(data, seed, epochs=2, noise=False):
    optimizer = torch.optim.SGD(data.network.parameters(), lr=0.05 + noise * own_parts.chance())
    for epoch in range(1, epochs + 1):
        for batch in data.order(epoch).split(32):
            loss = cross_entropy(data.network(data.images[batch].float() / 255), data.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        data.epoch(epoch, loss.item())
    return data.network.state_dict()


def silent(data, seed):
    return data.network.state_dict()


def wrong(data, seed):
    return data.network.nothing
"""

PARTS = "import os\n\n\ndef chance():\n    return os.urandom(1)[0] / 1e3\n"


@pytest.fixture
def own_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes a study beside modules of its own, which Python forgets after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(function: str = "train", args: dict[str, Any] | None = None, **changes: Any) -> Path:
        (tmp_path / "own_training_code.py").write_text(FUNCTION)
        (tmp_path / "own_parts.py").write_text(PARTS)
        content = {
            "name": "own",
            "data": [{"source": "synthetic", "train": 120, "val": 40, "test": 40, "size": 8, "classes": 3}],
            "forget": [{"kind": "random", "fraction": 0.2}],
            "network": {"name": "cnn", "width": 4},
            "training": {"import": f"own_training_code:{function}", "args": args or {}},
            "methods": [{"name": "fine_tune", "epochs": 1, "batch_size": 32}],
            "seeds": {"tuning": [0], "reporting": [1, 2]},
        }
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump(content | changes))
        return path

    yield write
    for name in ("own_training_code", "own_parts"):
        sys.modules.pop(name, None)


def test_a_run_trains_by_the_function_and_its_rows_say_what_it_cost_and_that_it_repeats(
    own_study: Callable[..., Path], tmp_path: Path, lethe_here: LetheHere
) -> None:
    study, results = own_study(), tmp_path / "results"
    code, said = lethe_here("plan", study, "--results", results)
    assert code == 0
    assert "Models are trained by own_training_code:train() of sources " in said
    assert "No estimate of the time before a first model is trained; " in said
    code, said = lethe_here("run", study, "--results", results, "--local")
    assert code == 0, said
    assert said.count("own_training_code:train repeats by its seed") == 1
    models = query("select kind, epochs, images_trained, loss, repeats from artifacts", results).to_pylist()
    assert {(row["kind"], row["epochs"], row["images_trained"]) for row in models} == {
        ("original", 2, 2 * 120),
        ("oracle", 2, 2 * 96),
    }
    assert all(row["repeats"] and row["loss"] > 0 for row in models)
    rows = query("select row, compute_share, training_repeats, training from leaderboard", results).to_pylist()
    assert {row["row"]: row["compute_share"] for row in rows} == {"original": 0, "oracle": 1, "fine_tune": 0.5}
    assert all(row["training_repeats"] for row in rows)
    assert {row["training"] for row in rows} == {read_study(study).training.recipe.title}
    code, said = lethe_here("plan", study, "--results", results)
    assert re.search(r"trainings +6 +6 +0", said)
    (tmp_path / "own_parts.py").write_text(PARTS + "\n")
    with pytest.raises(StudyError, match="has changed since this process imported it: start it anew"):
        read_study(study)


def test_a_function_that_does_not_repeat_is_told_beside_the_numbers(
    own_study: Callable[..., Path], tmp_path: Path, lethe_here: LetheHere
) -> None:
    code, said = lethe_here("run", own_study(args={"noise": True}), "--results", tmp_path / "results", "--local")
    assert code == 0, said
    assert said.count("own_training_code:train does NOT repeat by its seed") == 1
    assert "- The training function does not repeat by its seed:" in " ".join(said.split())


def test_costs_that_nobody_counted_are_unknown_and_no_nought(
    own_study: Callable[..., Path], tmp_path: Path, lethe_here: LetheHere
) -> None:
    results = tmp_path / "results"
    code, said = lethe_here("run", own_study("silent"), "--results", results, "--local")
    assert code == 0, said
    assert "own_training_code:silent ends no epoch (data.epoch): " in said
    assert len(re.findall(r"(?:original|oracle|fine_tune) .* unknown", said)) == 3
    [row] = query(
        "select count(*) n, count(images_retrain) i, count(compute_share) c, count(retrain_share) r from confirmations",
        results,
    ).to_pylist()
    assert row["n"] == row["r"] > 0
    assert (row["i"], row["c"]) == (0, 0)
    costly = {"objectives": ["gap", "compute"]}
    code, said = lethe_here("run", own_study("silent", search=costly), "--results", results, "--local")
    assert code == 1
    assert "counted none; wanted one that calls data.epoch or data.count" in " ".join(said.split())


def test_what_a_function_raises_is_a_problem_of_the_run_with_its_line(
    own_study: Callable[..., Path], tmp_path: Path, lethe_here: LetheHere
) -> None:
    code, said = lethe_here("run", own_study("wrong"), "--results", tmp_path / "results", "--local")
    assert code == 1
    assert "AttributeError" in said
    assert "in wrong: return data.network.nothing)" in " ".join(said.split())


def test_a_study_with_a_function_is_written_and_read_as_it_was(own_study: Callable[..., Path]) -> None:
    study = read_study(own_study(args={"epochs": 3}))
    assert yaml.safe_load(write_study(study))["training"] == {
        "import": "own_training_code:train",
        "folder": str(study.training.folder),
        "args": {"epochs": 3},
        "precision": "float32",
    }


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"import": "nowhere_at_all:train"}, "training.import: there is no module nowhere_at_all; it is neither"),
        ({"import": "own_training_code:fit"}, "training.import: own_training_code has no fit; it has "),
        ({"import": "own_training_code:train", "args": {"lr": 1}}, "cannot be called as train(data, seed, **args)"),
        ({"import": "own_training_code:train", "epochs": 3}, "training.epochs: no such option here; valid are import"),
        ({"import": "own_training_code:train", "args": 3}, "training.args: wanted a mapping of options, got 3"),
        ({"import": 3}, "training.import: wanted text, got 3"),
    ],
)
def test_a_wrong_function_is_an_error_of_the_study(
    own_study: Callable[..., Path], training: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError, match=re.escape(said)):
        read_study(own_study(training=training))


def test_a_module_of_another_modules_name_is_refused(own_study: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text(FUNCTION)
    with pytest.raises(
        StudyError, match=r"training\.import: there are two modules yaml: .*yaml\.py, and .*, which is imported; rename"
    ):
        read_study(own_study(training={"import": "yaml:train"}))


def test_audits_and_methods_that_need_a_recipe_are_refused_by_name(own_study: Callable[..., Path]) -> None:
    study = read_study(own_study(audits=[{"name": "relearning"}], methods=[{"name": "r2d"}, {"name": "fine_tune"}]))
    with pytest.raises(DataError) as caught:
        expand(study, {source: load(source) for source in study.data})
    first, second, last = str(caught.value).splitlines()
    assert first.startswith("audits: relearning: trains models further with the momentum, weight_decay and batch_size")
    assert second.startswith("methods: r2d: requires weights of the original before the last parts of its training")
    assert last.startswith("training.import: own_training_code:train says nothing of that")

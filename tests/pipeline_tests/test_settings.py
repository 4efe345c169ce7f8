"""A study is tuned, its settings exported, and another study confirms them without a search."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lethe.report import leaderboard
from lethe.report._notes import notes_of
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import read_settings

Here = Callable[..., tuple[int, str]]

FEW: dict[str, Any] = {
    "data": [{"source": "synthetic", "train": 60, "val": 30, "test": 30, "size": 8, "classes": 3}],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 2},
    "training": {"epochs": 1, "batch_size": 32, "lr": 0.1, "precision": "float32"},
    "attack_classes": "forgotten",
}
SALUN = {"name": "salun", "epochs": 1, "search": {"lr": {"low": 0.001, "high": 0.1, "log": True}}}


def confirmed(results: Path, study: str) -> list[tuple[Any, ...]]:
    sql = f"select row, training_seed, ua, ra, ta, gap from confirmations where study = '{study}' and row <> 'oracle'"
    return [tuple(row.values()) for row in query(f"{sql} order by row, training_seed", results).to_pylist()]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, lethe_here: Here) -> tuple[Path, Path]:
    """The results of a study whose controls are tuned, and a file of its settings."""
    folder = tmp_path_factory.mktemp("tuned")
    study = {"name": "tuned", **FEW, "methods": [SALUN], "controls": "tuned", "search": {"trials": 2, "window": 1}}
    (folder / "tuned.yaml").write_text(yaml.safe_dump(study | {"seeds": {"tuning": [0], "reporting": [1, 2, 3]}}))
    code, said = lethe_here("run", folder / "tuned.yaml", "--local", "--results", folder / "results")
    assert code == 0, said
    settings = folder / "best.yaml"
    code, said = lethe_here("export", "settings", "tuned", "-o", settings, "--results", folder / "results")
    assert code == 0, said
    return folder / "results", settings


def test_a_tuned_control_is_a_row_with_a_search_of_its_own(tuned: tuple[Path, Path]) -> None:
    results, _ = tuned
    [board] = leaderboard(StorageRoot.at(results), "tuned")
    searched = {line.row: line.method_search for line in board.lines if line.method_search}
    assert list(searched) == ["salun", "salun density 1.0", "salun random mask"]
    assert len(set(searched.values())) == 3
    assert not any(line.untuned for line in board.lines)
    assert not any(note.startswith("Untuned") for note in notes_of(board))
    pairs = {(one.first, one.second) for one in board.contrasts}
    assert ("salun", "salun random mask") in pairs
    assert ("salun random mask", "original") in pairs
    assert {choice.row: choice.confirmed_seeds for choice in board.choices} == dict.fromkeys(searched, 3)
    assert [search.row for search in board.searches] == sorted(searched, key=lambda row: searched[row] or "")


def test_the_file_has_the_setting_of_every_row_that_was_searched(tuned: tuple[Path, Path]) -> None:
    results, settings = tuned
    text = settings.read_text()
    assert str(results.parent) not in text
    chosen = read_settings(settings)
    assert [one.row for one in chosen] == ["salun", "salun density 1.0", "salun random mask"]
    [line] = [line for line in leaderboard(StorageRoot.at(results), "tuned")[0].lines if line.row == "salun"]
    first = chosen[0]
    assert (first.search.trial, first.search.seeds, first.search.trials) == (line.trial_id, (0,), 2)
    assert {one.tuned_on.attack_classes for one in chosen} == {"forgotten"}
    assert first.confirmed is not None
    assert first.confirmed.gap == pytest.approx(line.gap, abs=1e-5)
    assert first.confirmed.seeds == (1, 2, 3)


def test_a_study_confirms_the_settings_of_a_file_and_searches_nothing(
    tuned: tuple[Path, Path], tmp_path: Path, lethe_here: Here
) -> None:
    results, settings = tuned
    study = {"name": "taken", **FEW, "methods": [{"name": "salun"}], "settings": str(settings)}
    path = tmp_path / "taken.yaml"
    path.write_text(yaml.safe_dump(study | {"seeds": {"tuning": [9], "reporting": [1, 2, 3]}}))
    code, said = lethe_here("run", path, "--local", "--results", results)
    assert code == 0, said
    assert "SalUn: not searched; its setting is that of study tuned (2 trials on seed 0" in said
    assert "training · artifacts" not in said
    assert query("from trials where study = 'taken'", results).num_rows == 0
    own = [row for row in confirmed(results, "taken") if row[0] in ("salun", "original")]
    assert own == [row for row in confirmed(results, "tuned") if row[0] in ("salun", "original")]
    [board] = leaderboard(StorageRoot.at(results), "taken")
    of = {line.row: line for line in board.lines}
    assert (of["salun"].tuned_in, of["salun"].tuned_on_other_data, of["salun"].tuning_trials) == ("tuned", False, 2)
    assert of["salun random mask"].untuned
    assert "settings were chosen" not in board.seeds
    notes = notes_of(board)
    assert "salun: its setting was not searched here; it is from study tuned, tuned on seed 0." in notes
    _, again = lethe_here("run", path, "--local", "--results", results)
    assert "Everything is there already" in again


def test_a_setting_of_other_images_is_taken_with_a_note(
    tuned: tuple[Path, Path], tmp_path: Path, lethe_here: Here
) -> None:
    results, settings = tuned
    data = [FEW["data"][0] | {"train": 70}]
    study = {"name": "elsewhere", **FEW, "data": data, "methods": [{"name": "salun"}], "settings": str(settings)}
    path = tmp_path / "elsewhere.yaml"
    path.write_text(yaml.safe_dump(study | {"seeds": {"reporting": [1, 2]}}))
    code, said = lethe_here("run", path, "--local", "--results", results)
    assert code == 0, said
    assert "it was tuned on other images or labels, and may carry over badly" in " ".join(said.split())
    [board] = leaderboard(StorageRoot.at(results), "elsewhere")
    assert any("a setting of another data set carries over badly" in note for note in notes_of(board))


def test_settings_of_a_study_that_is_not_there_are_answered_with_those_that_are(
    tuned: tuple[Path, Path], lethe_here: Here
) -> None:
    code, said = lethe_here("export", "settings", "tunde", "--results", tuned[0])
    assert code == 2
    assert "studies there:" in said
    assert "tuned" in said

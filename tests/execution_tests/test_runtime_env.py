"""What travels to a cluster is what is distributed: the same files as in the wheel, whatever else lies beside them."""

import shutil
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

import lethe
import unlearning
from lethe.execution.runtime_env import runtime_env

ROOT = Path(__file__).parents[2]


def in_the_wheel() -> set[str]:
    builder = WheelBuilder(str(ROOT))
    return {included.distribution_path for included in builder.recurse_included_files()}


def travelling() -> set[str]:
    """Ask Ray which files it would send."""
    environment = runtime_env()
    found: list[Path] = []
    for folder in map(Path, environment["py_modules"][:2]):
        sent: list[Path] = []
        _dir_travel(folder, [_get_excludes(folder, environment["excludes"])], sent.append, include_gitignore=True)
        found += [path.relative_to(folder.parent) for path in sent if path.is_file()]
    return {path.as_posix() for path in found}


def test_only_the_files_of_the_distribution_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (lethe, unlearning):
        copy = tmp_path / package.__name__
        shutil.copytree(package.__path__[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
        monkeypatch.setattr(package, "__path__", [str(copy)])
        for name in (".env", ".git/config", ".git/hooks/hook.py", "pool/.cache/x.py", "no [t]est*.txt", "data.npz"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text("secret")
        (copy / "linked.py").symlink_to("/etc/hostname")
    assert travelling() == in_the_wheel()


def test_of_what_is_installed_the_version_travels_and_not_where_it_came_from() -> None:
    environment = runtime_env()
    [metadata] = map(Path, environment["py_modules"][2:])
    sent: list[Path] = []
    _dir_travel(metadata, [_get_excludes(metadata, environment["excludes"])], sent.append, include_gitignore=True)
    names = {path.name for path in sent}
    assert "METADATA" in names
    assert names.isdisjoint({"RECORD", "direct_url.json"})

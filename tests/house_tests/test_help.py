"""What `--help` says: each command in one short sentence, nothing cut off, every exit code explained."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lethe.cli import app


def commands(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name)


COMMANDS = list(commands(typer.main.get_command(app)))


def help_of(*names: str) -> str:
    done = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("group", [(), ("data",), ("export",), ("key",)], ids=str)
def test_no_summary_of_a_command_is_cut_off(group: tuple[str, ...]) -> None:
    lines = help_of(*group).partition("Commands:")[2].splitlines()
    assert len([line for line in lines if line.strip()]) >= 1
    assert not [line for line in lines if line.endswith("...")]


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_is_explained(names: tuple[str, ...]) -> None:
    command = typer.main.get_command(app)
    for name in names:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert command.help
    assert not [parameter.name for parameter in command.params if not getattr(parameter, "help", "")]


def test_a_run_explains_its_exit_codes() -> None:
    said = " ".join(help_of("run").split())
    assert "1: finished, with problems (listed above)" in said
    assert all(f"{code}: " in said for code in (0, 1, 2, 3, 4, 130))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["rn"], "Did you mean 'run'?"), (["run", "study.yaml", "--locl"], "--local")],
)
def test_a_misspelt_command_or_option_is_answered_with_the_nearest(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert said in done.output

"""The made-up hospital of README: its program and its study, at a smaller size, by README's own command."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "hospital"

SMALLER = ("training.epochs=2", "methods.0.epochs=1", "methods.1.epochs=1", "search.trials=1", "seeds.reporting=[1, 2]")


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with all that the study names, of 40 patients."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("make_hospital", EXAMPLE / "make.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    program.make(tmp_path / "ward", patients=40, epochs=3)
    yield tmp_path / "ward"
    for name in [one for one in sys.modules if one.partition(".")[0] == "wardnets"]:
        del sys.modules[name]


def test_readmes_commands_forget_the_patients(
    ward: Path, lethe_here: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = (ROOT / "README.md").read_text().partition("## Forget these patients from my model")[2]
    commands = re.findall(r"^    (python|cd|lethe) ([^#\n]*[^#\n ])", section.partition("\n## ")[0], re.MULTILINE)
    assert ("python", "docs/examples/hospital/make.py ward") in commands
    monkeypatch.chdir(ward)
    assert ("cd", "ward") in commands
    said = ""
    for program, arguments in commands:
        if program == "lethe":
            further = SMALLER if arguments.startswith("forget") else ()
            code, output = lethe_here(*arguments.split(), *further)
            assert code in (0, 1), output
            said += output
    assert "patient in withdrawn.xlsx" in said
    assert "from the given model" in said
    assert "All 5 other files are there, unchanged" in said
    assert (ward / "delivery" / "hospital" / "program.pt2").exists()

    code, output = lethe_here("report", "-o", "report.html")
    assert code == 0, output
    page = (ward / "report.html").read_text()
    assert "Where the saliency sits" in page
    assert "the scores are" not in page

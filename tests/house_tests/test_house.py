"""The layout that keeps the standard library's `platform` in reach."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_standard_librarys_platform_is_the_one_imported_at_the_root() -> None:
    code = "import platform, torch; print(platform.python_version())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("3.")


def test_source_roots_and_tests_are_no_packages() -> None:
    assert not [
        ROOT / root / "__init__.py" for root in ("platform", "trials") if (ROOT / root / "__init__.py").exists()
    ]
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_trials_do_not_know_the_platform() -> None:
    for path in (ROOT / "trials").rglob("*.py"):
        for forbidden in ("import lethe", "from lethe", "import ray", "import optuna", "import pyarrow", "import yaml"):
            assert forbidden not in path.read_text(), f"{path} has {forbidden}"

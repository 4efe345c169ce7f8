"""The shortest study that can be read, as options and as a file, and what is said of wrong ones."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lethe.study import StudyError, parse_study


def content(**options: Any) -> dict[str, Any]:
    """The shortest study, with some options in the place of its own."""
    return {
        "name": "small",
        "data": [{"source": "synthetic"}],
        "forget": [{"kind": "random", "fraction": 0.1}],
        "methods": [{"name": "salun"}],
        **options,
    }


def searching(**dimensions: Any) -> dict[str, Any]:
    return content(methods=[{"name": "salun", "search": dimensions}])


def written(folder: Path, text: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def small_file(folder: Path) -> Path:
    return written(folder, yaml.safe_dump(content()))


def complaints(**options: Any) -> list[str]:
    """The lines below the heading, each without its indent."""
    with pytest.raises(StudyError) as caught:
        parse_study(content(**options), "study.yaml")
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def complaint_at(root: str, **options: Any) -> str:
    """What is said of one place."""
    lines = complaints(**options)
    said = [line.removeprefix(f"{root}: ") for line in lines if line.startswith(f"{root}: ")]
    assert len(said) == 1, f"wanted one line about {root}, got {lines}"
    return said[0]

"""Writes a checked study back as YAML; reading that gives the same study, and so the same method searches.

Defaults are written out, but for those of methods (`keep` too) and of options that came later: a specification that was
kept before there were these is still the same one.
"""

from collections.abc import Set
from typing import Any, Final

from lethe.study._model import Choices, MethodChoice, Search, Study
from lethe.study._yaml import write_yaml

_LATER: Final = ("early_stopping", "seconds", "racing", "objectives", "limits", "choose")


def write_study(study: Study, without: Set[str] = frozenset()) -> str:
    """Return a study as the text of a file.

    Args:
        without: options at the top that are left out, and have their defaults when it is read.
    """
    content = study.model_dump(mode="json", exclude={"methods"})
    content["search"] = {name: value for name, value in content["search"].items() if _is_written(study, name)}
    if "limits" in content["search"]:
        content["search"]["limits"] = dict(study.search.limits.given)
    content["methods"] = [_method(choice) for choice in study.methods]
    left_out = {*without, *(name for name in ("metrics", "audits") if not getattr(study, name))}
    ordered = {name: content[name] for name in Study.model_fields if name not in left_out}
    return write_yaml(ordered)


def _is_written(study: Study, name: str) -> bool:
    """Return whether an option of the search is written: those that came later only where they say something."""
    default = Search.model_fields[name].default
    return name not in _LATER or getattr(study.search, name) != default


def _method(choice: MethodChoice) -> dict[str, Any]:
    search = {
        name: list(dimension.choices) if isinstance(dimension, Choices) else dimension.model_dump(mode="json")
        for name, dimension in choice.search.items()
    }
    keep = {"keep": choice.keep} if choice.keep != "last" else {}
    return {"name": choice.name, **choice.fixed, **keep, **({"search": search} if search else {})}

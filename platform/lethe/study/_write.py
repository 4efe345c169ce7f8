"""Writes a checked study back as YAML; reading that gives the same study, and so the same method searches.

Defaults are written out, but for those of methods (`keep` too), and of options that came later than results, such as
`metrics` or `controls`: a specification that was kept before there were these options is still the same one.
"""

from collections.abc import Set
from typing import Any, Final

from lethe.study._method_choice import MethodChoice
from lethe.study._model import Study
from lethe.study._search_options import Search
from lethe.study._yaml import write_yaml
from unlearning.ranges import Choices

LATER: Final = ("early_stopping", "start_from", "seconds", "racing", "objectives", "limits", "choose")
"""Options of a search that are written only where they are not at their defaults."""


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
    unset = {name for name in ("metrics", "audits", "doses", "settings", "original") if not getattr(study, name)}
    later = ("controls", "attack_classes", "keep_models", "models_gib", "deliver")
    usual = {name for name in later if getattr(study, name) == Study.model_fields[name].default}
    left_out = {*without, *unset, *usual}
    ordered = {name: content[name] for name in Study.model_fields if name not in left_out}
    return write_yaml(ordered)


def _is_written(study: Study, name: str) -> bool:
    """Return whether an option of the search is written: those that came later only where they say something."""
    default = Search.model_fields[name].default
    return name not in LATER or getattr(study.search, name) != default


def _method(choice: MethodChoice) -> dict[str, Any]:
    search = {
        name: list(dimension.choices) if isinstance(dimension, Choices) else dimension.model_dump(mode="json")
        for name, dimension in choice.search.items()
    }
    keep = {"keep": choice.keep} if choice.keep != "last" else {}
    return {"name": choice.name, **choice.fixed, **keep, **({"search": search} if search else {})}

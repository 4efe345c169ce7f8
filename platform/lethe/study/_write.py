"""Writes a checked study back as YAML, with every default written out; reading that gives the same study."""

from typing import Any

import yaml

from lethe.study._model import Choices, MethodChoice, Study


def write_study(study: Study) -> str:
    """Give a study as the text of a file."""
    content = study.model_dump(mode="json", exclude={"methods"})
    content["search"] = {name: value for name, value in content["search"].items() if value is not None}
    content["methods"] = [_method(choice) for choice in study.methods]
    ordered = {name: content[name] for name in Study.model_fields}
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True)


def _method(choice: MethodChoice) -> dict[str, Any]:
    options = choice.example.model_dump(mode="json", exclude={"name", *choice.search})
    search = {
        name: list(dimension.choices) if isinstance(dimension, Choices) else dimension.model_dump(mode="json")
        for name, dimension in choice.search.items()
    }
    return {"name": choice.name, **options, **({"search": search} if search else {})}

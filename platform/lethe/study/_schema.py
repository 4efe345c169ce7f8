"""The JSON Schema of a study's file, from which editors complete keys and mark errors while a person types."""

from typing import Any, Final

from lethe.study._method_choice import DEFAULT, MethodChoice
from lethe.study._model import Study
from unlearning.audits import BUNDLES
from unlearning.methods import METHODS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema: every key with its meaning, default and bounds, and the options of each method.

    It cannot say what two keys mean together, such as a range whose ends are the wrong way round; reading a study can.
    """
    schema = Study.model_json_schema()
    definitions = schema.pop("$defs")
    del definitions[MethodChoice.__name__]
    keep = MethodChoice.model_json_schema()["properties"]["keep"]
    methods = {name: _method(method.model_json_schema(), definitions, keep) for name, method in METHODS.items()}
    schema["properties"]["methods"]["items"] = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in methods]}
    definitions |= methods
    keys = schema["properties"]
    for members in (keys["network"]["oneOf"], keys["data"]["items"]["oneOf"], keys["audits"]["items"]["oneOf"]):
        written_out = [one for one in members if "$ref" not in one]
        definitions |= {one["title"]: one.copy() for one in written_out}
        members[:] = [one if "$ref" in one else {"$ref": f"#/$defs/{one['title']}"} for one in members]
    keys["audits"] = _or_bundle(keys["audits"])
    definitions["Choices"] = {"description": definitions["Choices"]["description"], **_choices(definitions["Choices"])}
    for definition in definitions.values():
        _name_itself(definition)
    described = {"$schema": DIALECT, "title": "A study of Lethe", **schema, "$defs": definitions}
    described["description"] = "What `lethe run` does; docs/study.md explains every key."
    return dict(_without_titles(described))


def _or_bundle(audits: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the audits: a list of them, or the name of a bundle."""
    about = {key: value for key, value in audits.items() if key in ("description", "default")}
    listed = {key: value for key, value in audits.items() if key not in about}
    return about | {"oneOf": [{"enum": list(BUNDLES)}, listed]}


def _method(schema: dict[str, Any], definitions: dict[str, Any], keep: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a method's entry: its options, and beside them which epoch counts and what is searched."""
    definitions |= schema.pop("$defs", {})
    options = {name: value for name, value in schema["properties"].items() if name != "name"}
    schema["properties"]["keep"] = keep
    default = {"const": DEFAULT}
    searched = {"oneOf": [{"$ref": "#/$defs/Range"}, {"$ref": "#/$defs/Choices"}, default]}
    some = {
        "type": "object",
        "properties": {name: {"description": value["description"], **searched} for name, value in options.items()},
        "additionalProperties": False,
    }
    schema["properties"]["search"] = {
        "description": "options to search: a range, or a list of choices, for each; or default: the method's own",
        "oneOf": [some, default],
        "default": {},
    }
    return schema


def _choices(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list of choices, which a file writes without the key."""
    return {key: value for key, value in schema["properties"]["choices"].items() if key != "description"}


def _name_itself(schema: dict[str, Any]) -> None:
    """Require the key by which a member of a family names itself, and describe it by what the member is.

    A member that an option of its own name stands for is named by that one.
    """
    for name, value in schema.get("properties", {}).items():
        if "const" in value and isinstance(value["const"], str):
            value["description"] = schema.get("description", "").partition("\n")[0]
            if value["const"] in schema["properties"]:
                continue
            value.pop("default", None)
            schema["required"] = [name, *schema.get("required", [])]
        elif "const" in value:
            value.setdefault("description", name)


def _without_titles(value: Any) -> Any:
    """Leave out the titles that pydantic makes of names; a property that is called title stays."""
    if isinstance(value, list):
        return [_without_titles(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_titles(one)
        for key, one in value.items()
        if not (key == "title" and isinstance(one, str) and "$schema" not in value)
    }

"""Words pydantic's errors as Lethe's: what was wanted, what was found, and the nearest valid name."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic_core import ErrorDetails

_SHOWN: Final = 200
"""Characters of a wrong value that a message shows."""

_BOUNDS: Final = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}

_KINDS: Final = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "path_type": "a path",
    "tuple_type": "a list, as in [1, 2]",
    "list_type": "a list, as in [1, 2]",
    "model_type": "a mapping of options",
    "model_attributes_type": "a mapping of options",
    "union_tag_not_found": "a mapping of options",
    "dict_type": "a mapping of options",
}


def explain(detail: ErrorDetails, also: str = "") -> str:
    """Return what is wrong with a value, as in ``wanted a whole number, got 1.5``.

    Args:
        also: what else is allowed there, such as ``or a mapping of options``.
    """
    kind, context = str(detail["type"]), detail.get("ctx", {})
    got = context["tag"] if kind == "union_tag_invalid" else detail["input"]
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ")
    return f"wanted {_wanted(kind, context, detail)}{also}, got {_got(kind, got)}{_hint(kind, got, context)}"


def nearest(name: object, valid: Iterable[object]) -> str:
    """Return the question whether the nearest valid name was meant; empty where none is near."""
    names = [str(one) for one in valid]
    found = get_close_matches(str(name)[:_SHOWN], names, n=1)
    return f"; did you mean {found[0]}?" if found and str(name) != found[0] else ""


def unknown(name: object, valid: Sequence[str], where: str = "here") -> str:
    """Return the message for an unknown key."""
    return f"no such option {where}{or_else(nearest(name, valid), 'valid are')} {', '.join(valid)}"


def or_else(near: str, words: str) -> str:
    """Join the question for the nearest name, if there is one, with the words that begin a list of all of them."""
    return f"{near} {words[0].upper()}{words[1:]}" if near else f"; {words}"


def shown(value: object) -> str:
    """Write a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def number_hint(value: object) -> str:
    """Return how YAML wants a number that came as text; empty for anything else."""
    if not isinstance(value, str):
        return ""
    try:
        float(value)
    except ValueError:
        return ""
    return f" (YAML reads a number only without quotes: {value.strip()})"


def _wanted(kind: str, context: dict[str, Any], detail: ErrorDetails) -> str:
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"a number {words} {context[key]:g}"
    if kind in _KINDS:
        return "a number" if kind == "int_type" and isinstance(detail["input"], str) else _KINDS[kind]
    match kind:
        case "literal_error":
            return str(context["expected"])
        case "string_type" | "string_unicode":
            return "text"
        case "too_short":
            return f"at least {_entries(context['min_length'])}"
        case "too_long":
            return f"at most {_entries(context['max_length'])}"
        case "string_too_short":
            return f"at least {context['min_length']} characters"
        case "string_too_long":
            return f"at most {context['max_length']} characters"
        case "string_pattern_mismatch":
            return "letters (a to z), digits and . _ -, beginning with a letter or digit"
        case "union_tag_invalid":
            return f"one of {context['expected_tags']}"
        case "invalid_key":
            return "text as a key"
        case _:
            return f"another value ({str(detail['msg'])[:1].lower()}{str(detail['msg'])[1:]})"


def _got(kind: str, got: object) -> str:
    if kind in ("too_short", "too_long") and isinstance(got, Sequence):
        return str(len(got))
    if kind in ("string_too_short", "string_too_long") and isinstance(got, str):
        return f"{len(got)}: {shown(got)}"
    if kind in ("int_type", "float_type") and isinstance(got, str):
        return f"the text {shown(got)}"
    return "nothing" if got is None else shown(got)


def _hint(kind: str, got: object, context: dict[str, Any]) -> str:
    if kind in ("int_type", "float_type"):
        return number_hint(got)
    if kind in ("literal_error", "union_tag_invalid"):
        valid = re.findall(r"'([^']*)'", str(context.get("expected", context.get("expected_tags"))))
        return nearest(got, valid) if isinstance(got, str) else ""
    if kind == "string_type" and isinstance(got, int | float):
        return "; write it in quotes"
    return ""


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"

"""The page of a certificate, made from what the certificate says alone; it fetches nothing and runs nothing."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from lethe.delivery.certificate._document import Content
from lethe.report._numbers import p_value, percent, signed
from lethe.results import durations
from lethe.results.rows import SEVERAL_LABELS
from unlearning.no_recipe import NO_ORACLE

MINUS: Final = "\N{MINUS SIGN}"

ROUNDING: Final = 1e-9

MEANINGS: Final = {
    "violation": "The tests found a difference between this model, or models made in the same way, and models that "
    "never saw the images.",
    "no violation detected": "No test found a difference between this model, or models made in the same way, and "
    "models that never saw the images; and the audits have tests that detect models that were trained on them. This "
    "does not show that nothing is left.",
    "inconclusive": "The tests leave open whether this model differs from models that never saw the images.",
}

STATISTICS: Final = {
    "ua": "error on the images asked for",
    "ra": "accuracy on the images kept",
    "ta": "accuracy on the test split",
    "mia": "called non-members by an attack",
}

OF_SEVERAL_LABELS: Final = {
    "ua": "100 % minus mean AUROC over the labels, on the images asked for",
    "ra": "mean AUROC on the images kept",
    "ta": "mean AUROC on the test split",
}
"""What the first three are where an image has any number of labels."""


def render_certificate(content: Content, other_files: Mapping[str, str], public_key: str | None) -> str:
    """Render the page.

    Args:
        other_files: SHA-256 of each file of the delivery but the certificate and this page, by its name.
        public_key: in hex, of whoever signs the certificate; None: nobody does.
    """
    several = content.data.task == SEVERAL_LABELS
    text: str = _template().render(
        said=content,
        files=dict(sorted(other_files.items())),
        public_key=public_key,
        several=several,
        STATISTICS=STATISTICS | OF_SEVERAL_LABELS if several else STATISTICS,
    )
    return text.lstrip()


@cache
def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    own = files("lethe.delivery.certificate")
    style = (files("lethe.report") / "page" / "style.css").read_text("utf-8")
    environment.globals = {
        **environment.globals,
        "style": Markup(style + own.joinpath("certificate.css").read_text("utf-8")),
        "MEANINGS": MEANINGS,
        "NO_ORACLE": NO_ORACLE,
        "measured": durations.measured,
    }
    environment.filters |= {
        "percent": lambda value: "" if value is None else f"{percent(value)} %",
        "points": lambda value: "" if value is None else signed(value).replace("-", MINUS),
        "number": _number,
        "p": lambda value: "" if value is None else p_value(value),
        "share": lambda value: "" if value is None else f"{100 * value:.0f} %",
        "time": lambda value: f"{value:%Y-%m-%d %H:%M} UTC",
        "second": lambda value: f"{value:%Y-%m-%d %H:%M:%S} UTC",
        "size": _size,
        "breakable": lambda name: Markup("_<wbr>").join(name.split("_")),
    }
    return environment.from_string(own.joinpath("certificate.html.j2").read_text("utf-8"))


def _number(value: float | None) -> str:
    """Write a number with three digits; what is 0 but for rounding is 0."""
    if value is None:
        return ""
    return "0" if abs(value) < ROUNDING else f"{value:.3g}".replace("-", MINUS)


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return ""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"

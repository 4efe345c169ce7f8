"""Plug-ins as the platform sees them: the families that a study chooses from, and the packages that it needs.

`unlearning.families` finds and checks plug-ins; docs/extending.md explains how to write one.
"""

from collections.abc import Iterator
from typing import Any, Final

from lethe.study import Study
from unlearning.audits import AUDITS
from unlearning.data import SOURCES
from unlearning.families import DISTRIBUTION, Family, Package, PluginError
from unlearning.methods import METHODS, Method
from unlearning.metrics import METRICS, Metric
from unlearning.models import NETWORKS, ExternalNetwork, package_of
from unlearning.own_recipe import OwnRecipe

FAMILIES: Final[dict[str, Family[Any]]] = {
    "methods": METHODS,
    "networks": NETWORKS,
    "data": SOURCES,
    "metrics": METRICS,
    "audits": AUDITS,
}
"""Every family that a study chooses from, by the last part of its entry points' group."""

ON_NODES: Final = (DISTRIBUTION, "torch", "torchvision", "timm")
"""Distributions that do not travel with a study as plug-ins do: Lethe's own has its way, the others are installed."""


def packages_of(study: Study) -> tuple[Package, ...]:
    """Return the distributions that travel with a study beside Lethe's own, by name."""
    found = {package_of(study.network), *(family.package_of(part) for family, part in _parts(study))}
    if isinstance(study.training, OwnRecipe):
        found.add(study.training.package)
    plugins = {package for package in found if package is not None and package.name not in ON_NODES}
    return tuple(sorted(plugins, key=lambda package: package.name))


def added_code_of(study: Study) -> list[object]:
    """Return the classes and functions of plug-ins of a study that no distribution provides."""
    added = [part for family, part in _parts(study) if family.package_of(part) is None]
    return [part.compute if isinstance(part, Metric) else part for part in added]


def sources_of(study: Study) -> dict[str, bytes]:
    """Return the files of code that a study imports and no distribution brings, by their path from its folder."""
    named = (part for part in (study.network, study.training) if isinstance(part, ExternalNetwork | OwnRecipe))
    return {path: content for part in named for path, content in part.origin.files.items()}


def known_method(name: str) -> type[Method] | None:
    """Return a method that rows name; None where its package is not installed here, or cannot be used."""
    try:
        return METHODS.get(name)
    except PluginError:
        return None


def _parts(study: Study) -> Iterator[tuple[Family[Any], Any]]:
    yield NETWORKS, type(study.network)
    for source in study.data:
        yield SOURCES, type(source)
    for choice in study.methods:
        yield METHODS, choice.method
    for metric in study.further_metrics:
        yield METRICS, metric
    for audit in study.audits:
        yield AUDITS, type(audit)

"""What a study may name where an image has any number of labels; all that needs one class is refused at once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lethe.study._model import Study
from unlearning.audits import AUDITS
from unlearning.data import DataError, ImageData
from unlearning.families import Family
from unlearning.methods import METHODS
from unlearning.metrics import METRICS
from unlearning.training import Recipe


def refuse_what_needs_one_class(study: Study, datasets: Iterable[ImageData]) -> None:
    """Refuse methods, metrics, audits and options that need one class an image, where some data has several labels.

    Raises:
        DataError: naming all of them, and what works there instead.
    """
    named = [data.name for data in datasets if data.labelling.several]
    faults = list(_faults(study)) if named else []
    if faults:
        where = f"{study.name}: images of {', '.join(named)} have any number of labels; what needs one class:"
        raise DataError("\n  ".join([where, *faults]))


def _faults(study: Study) -> Iterator[str]:
    yield from _needing_one_class("methods", METHODS, {choice.name: choice.method for choice in study.methods})
    yield from _needing_one_class("metrics", METRICS, {metric.name: metric for metric in study.further_metrics})
    yield from _needing_one_class("audits", AUDITS, {audit.name: audit for audit in study.audits})
    if rewinding := [choice.name for choice in study.methods if choice.keep == "rewind" or choice.example.rewinds]:
        yield f"methods: {', '.join(rewinding)}: rewinding looks for images of the forgotten classes"
    recipe = study.training.recipe
    if isinstance(recipe, Recipe) and recipe.needing_one_class:
        yield f"training: {', '.join(recipe.needing_one_class)}: of the cross-entropy of one class an image"
    if study.attack_classes == "forgotten":
        yield "attack_classes: forgotten draws images in the forget set's mix of classes; wanted all"


def _needing_one_class(where: str, family: Family[Any], named: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is named of a family and needs one class an image, with the members that do not."""
    if unfit := [name for name, part in named.items() if not part.multi_label]:
        fit = [name for name, part in family.imported().items() if part.multi_label]
        yield f"{where}: {', '.join(unfit)}; those that take several labels: {', '.join(fit)}"

"""Which settings a study takes from its settings file, scenario by scenario."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from lethe.study._model import Study
from lethe.study._read import StudyError
from lethe.study._settings import ChosenSetting, TunedOn, read_settings
from lethe.study._wording import explain


def take_settings(study: Study, scenarios: Mapping[str, Sequence[TunedOn]]) -> dict[tuple[str, str], ChosenSetting]:
    """Return the setting of each scenario and method that takes one, by the scenario's fingerprint and the method.

    A setting fits a scenario of the same data set by name, augmentation, forget request and network; of several the
    one that was tuned on the same images, and of these the one that was tuned against the same attack. Of the names
    of a scenario the first counts that some setting fits.

    Raises:
        StudyError: the file cannot be read, has no setting or several for a scenario, or one that was tuned on a
            reporting seed; all errors at once.
    """
    if study.settings is None:
        return {}
    known = [one for one in read_settings(study.settings) if one.control is None]
    found: dict[tuple[str, str], ChosenSetting] = {}
    problems: list[str] = []
    for choice in filter(study.takes, study.methods):
        of_method = [one for one in known if one.method == choice.name]
        for scenario, names in scenarios.items():
            fitting = next(filter(None, (_fitting(of_method, named) for named in names)), [])
            wrong = list(_problems(study, choice.name, names[0], of_method, fitting))
            problems += [f"settings: {line}" for line in wrong]
            if not wrong:
                found[scenario, choice.name] = fitting[0]
    if problems:
        lines = dict.fromkeys(problems)
        count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
        raise StudyError(
            "\n".join([f"{study.name}: {count} in what it takes from {study.settings}", *map("  {}".format, lines)])
        )
    return found


def described(taken: ChosenSetting, scenario: TunedOn, version: int) -> str:
    """Describe where a setting is from, and in what that search differed from the scenario that takes it.

    Args:
        version: of the method's code here.
    """
    there = taken.tuned_on
    differences = []
    if there.data_hash != scenario.data_hash:
        differences.append("on other images or labels")
    if there.training != scenario.training:
        differences.append(f"with another training ({there.training})")
    if there.attack_classes != scenario.attack_classes:
        differences.append(f"against another attack (attack_classes: {there.attack_classes or 'all'})")
    if there.forget != scenario.forget:
        differences.append(f"to forget {there.forget}")
    if taken.versions.method not in (None, version):
        differences.append(f"by version {taken.versions.method} of the method, this is {version}")
    caution = f"; it was tuned {' and '.join(differences)}, and may carry over badly" if differences else ""
    return f"its setting is that of {taken.origin}{caution}"


def _fitting(settings: Sequence[ChosenSetting], scenario: TunedOn) -> list[ChosenSetting]:
    fitting = [one for one in settings if one.tuned_on.key == scenario.key]
    fitting = [one for one in fitting if one.tuned_on.data_hash == scenario.data_hash] or fitting
    return [one for one in fitting if one.tuned_on.attack_classes == scenario.attack_classes] or fitting


def _problems(
    study: Study, method: str, scenario: TunedOn, known: Sequence[ChosenSetting], fitting: Sequence[ChosenSetting]
) -> Iterator[str]:
    if not known:
        yield f"{method}: the file has no setting of this method"
    elif not fitting:
        nearest = max(known, key=lambda one: _shared(one.tuned_on, scenario))
        others = dict.fromkeys(one.tuned_on.title for one in known)
        yield (
            f"{method}: no setting for {scenario.title}; nearest is {nearest.tuned_on.title}; there are "
            f"{'; '.join(others)}"
        )
    elif len({one.search.trial for one in fitting}) > 1:
        studies = ", ".join(f"study {one.search.study} ({one.search.trial})" for one in fitting)
        yield f"{method}: several settings for {scenario.title}: of {studies}; keep one in the file"
    else:
        yield from _faults(study, fitting[0])


def _faults(study: Study, taken: ChosenSetting) -> Iterator[str]:
    leaked = sorted({*taken.search.seeds} & {*study.seeds.reporting})
    if leaked:
        yield (
            f"{taken.method}: its setting for {taken.tuned_on.title} was chosen on the seeds {leaked}, which are "
            f"reporting seeds here; no setting is reported on seeds it was chosen on: name others in seeds.reporting"
        )
    try:
        _ = taken.choice
    except ValidationError as error:
        for item in error.errors():
            yield f"{taken.method}: {explain(item)}"


def _shared(one: TunedOn, other: TunedOn) -> int:
    """Count what two scenarios share, the data set first."""
    weights = (8, 4, 2, 1)
    return sum(weight for weight, a, b in zip(weights, one.key, other.key, strict=True) if a == b)

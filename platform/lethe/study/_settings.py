"""A settings file: what searches chose, with where each setting is from, as a study reads it and people do.

``lethe export settings`` writes such a file, and a study takes settings from it (``settings:``) or begins its searches
with them (``search.start_from``).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from lethe.study._listed import Listed
from lethe.study._method_choice import MethodChoice
from lethe.study._read import StudyError
from lethe.study._wording import explain
from lethe.study._yaml import YamlError, read_yaml, write_yaml
from unlearning.data import DataError
from unlearning.data._files import read_regular
from unlearning.options import Options

LIMIT_BYTES: Final = 16 << 20
"""Largest size of a settings file."""

_HEAD: Final = """\
# Settings of unlearning methods, each chosen by a search of Lethe. Gaps are mean absolute differences to retraining,
# as fractions. A study takes these settings, and searches nothing, where it says `settings: {name}` and
# names a method without options; docs/tutorial.md explains it. Written by `lethe export settings`.
"""


class TunedOn(Options):
    """The scenario that a setting was tuned in, as results name it."""

    dataset: str = Field(description="name of the data set")
    data_hash: str = Field(description="hash of its images and labels")
    augmentation: str = Field(description="augmentation")
    forget: str = Field(description="forget request")
    network: str = Field(description="network, with its options")
    precision: str | None = Field(None, description="precision of training and unlearning")
    training: str = Field(description="how originals and oracles were trained")
    attack_classes: Literal["forgotten"] | None = Field(
        None, description="forgotten where members of the attack were of the forget set's classes alone; by default all"
    )

    @property
    def title(self) -> str:
        """How messages name it."""
        return f"{self.dataset}, augmentation {self.augmentation}, forget {self.forget}, {self.network}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a study's scenario must share to take the setting; the images may be others."""
        return self.dataset, self.augmentation, self.forget, self.network


class Tuning(Options):
    """The search that chose a setting."""

    study: str = Field(description="study that searched")
    specification: str = Field(description="fingerprint of its specification")
    method_search: str = Field(description="fingerprint of the method search")
    trial: str = Field(description="trial that had the setting")
    seeds: Annotated[tuple[int, ...], Listed] = Field(description="training seeds that it was chosen on")
    trials: int = Field(description="trials of the search")
    seconds: float = Field(description="time of the search, its trials' seconds added")
    gap: float = Field(description="gap on the tuning seeds")
    original_gap: float | None = Field(None, description="gap of doing nothing on the same seeds")


class Confirmed(Options):
    """What the setting came to on seeds that its search never saw."""

    seeds: Annotated[tuple[int, ...], Listed] = Field(description="the reporting seeds")
    gap: float = Field(description="mean gap on these")
    gap_low: float | None = Field(None, description="lower end of its 95 % interval; none below three seeds")
    gap_high: float | None = Field(None, description="upper end of the same interval")
    original_gap: float | None = Field(None, description="gap of doing nothing on the same seeds")
    original_gap_low: float | None = Field(None, description="lower end of its 95 % interval")
    original_gap_high: float | None = Field(None, description="upper end of the same interval")


class Versions(Options):
    """The code that tuned a setting."""

    lethe: str = Field(description="version of lethe")
    code: str | None = Field(None, description="revision of the code")
    method: int | None = Field(None, description="version of the method's code")
    package: str | None = Field(None, description="package of the method")


class ChosenSetting(Options):
    """A setting that a search chose.

    Attributes:
        control: which control of the method was tuned; None: the method itself.
        setting: the method's options by name.
        kept_epoch: the epoch that a run stops after; None: it runs to its last one.
        rewinds: whether a run returns to an epoch by itself (`keep: rewind`).
        date: when the search ended, UTC.
    """

    method: str
    control: str | None = None
    setting: dict[str, Any]
    kept_epoch: int | None = None
    rewinds: Literal[True] | None = None
    tuned_on: TunedOn
    search: Tuning
    confirmed: Confirmed | None = None
    versions: Versions
    date: str

    @property
    def choice(self) -> MethodChoice:
        """The method at this setting.

        Raises:
            ValidationError: the method takes no such options.
        """
        return MethodChoice(name=self.method, fixed=self.setting, keep="rewind" if self.rewinds else "last")

    @property
    def row(self) -> str:
        """The row of a table that it belongs to."""
        return f"{self.method} {self.control}" if self.control else self.method

    @property
    def origin(self) -> str:
        """Where the setting is from, in words."""
        count = f"{self.search.trials} {'trial' if self.search.trials == 1 else 'trials'}"
        return f"study {self.search.study} ({count} on {_seeds(self.search.seeds)}, {self.date})"


class _File(Options):
    format: Literal["lethe-settings"]
    version: Literal[1]
    settings: Annotated[tuple[ChosenSetting, ...], Listed]


def read_settings(path: Path) -> tuple[ChosenSetting, ...]:
    """Read a settings file.

    Raises:
        StudyError: it cannot be read, or holds something else; all errors at once.
    """
    try:
        content = read_yaml(read_regular(path, LIMIT_BYTES, "settings file").decode())
    except (DataError, YamlError, UnicodeDecodeError) as error:
        raise StudyError(f"{error}" if isinstance(error, DataError) else f"{path}: {error}") from error
    if not isinstance(content, dict) or content.get("format") != "lethe-settings":
        raise StudyError(f"{path}: is no settings file, which begins with format: lethe-settings; see export settings")
    try:
        return _File.model_validate(content).settings
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc']))}: {explain(item)}" for item in error.errors()]
        raise StudyError("\n".join([f"{path}: wrong settings", *lines])) from None


def write_settings(settings: Sequence[ChosenSetting], name: str) -> str:
    """Return the text of a settings file.

    Args:
        name: of the file, for the example in its head.
    """
    head = {"format": "lethe-settings", "version": 1}
    if not settings:
        return _HEAD.format(name=name) + "\n" + write_yaml({**head, "settings": []})
    entries = [_entry(one) for one in settings]
    return _HEAD.format(name=name) + "\n" + write_yaml(head) + "settings:\n\n" + "\n".join(entries)


def _entry(chosen: ChosenSetting) -> str:
    content = write_yaml(chosen.model_dump(mode="json", exclude_none=True), short_lists=True)
    comments = "".join(f"# {line}\n" for line in _in_words(chosen))
    return comments + "- " + indent(content, "  ").removeprefix("  ")


def _in_words(chosen: ChosenSetting) -> Iterable[str]:
    search, confirmed = chosen.search, chosen.confirmed
    yield f"{chosen.tuned_on.title}: {chosen.row}"
    nothing = "" if search.original_gap is None else f", of doing nothing {_points(search.original_gap)}"
    yield f"tuned: a gap of {_points(search.gap)} points on {_seeds(search.seeds)}{nothing}"
    if confirmed is None:
        yield "not confirmed on other seeds"
    else:
        gap = _interval(confirmed.gap, confirmed.gap_low, confirmed.gap_high)
        original = _interval(confirmed.original_gap, confirmed.original_gap_low, confirmed.original_gap_high)
        nothing = f", of doing nothing {original}" if original else ""
        yield f"confirmed: a gap of {gap} points on {_seeds(confirmed.seeds)}{nothing}"


def _interval(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None:
        return ""
    return _points(mean) if low is None or high is None else f"{_points(mean)} [{_points(low)}, {_points(high)}]"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"

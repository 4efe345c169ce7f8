"""The contract of an audit: what trained models it requires beside the audited one, and what it finds."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from unlearning.audits._network import Networks
from unlearning.data import Planted, Planting
from unlearning.engine import Streamed
from unlearning.errors import InputError
from unlearning.images import Images
from unlearning.metrics import Direction, Evaluation, Group, Value
from unlearning.options import Options

PoolSubset = Literal["train", "retain"]

Test = Literal["p-value", "mean", "difference"]
"""How a statistic judges a model: it is a p-value itself, or its difference to the oracles' is tested. If it is a mean
over the forget set, or linear in it like an area under a ROC curve, that difference is read as a dose, too."""


@dataclass(frozen=True)
class ModelPool:
    """Trained models that an audit requires, each of another training seed than the audited model's.

    Attributes:
        subset: what they are trained on: ``retain`` for oracles, which have not seen D_f, ``train`` for originals.
        models: how many, at least 1.

    Raises:
        ValueError: there is no such subset, or the number is below 1.
    """

    subset: PoolSubset
    models: int

    def __post_init__(self) -> None:
        if self.subset not in ("train", "retain") or self.models < 1:
            raise ValueError(f"a pool of models: wanted subset train or retain and models from 1, got {self}")


@dataclass(frozen=True)
class Statistic:
    """What a value of an audit means.

    Attributes:
        meaning: one phrase for people.
        unit: ``fraction``, or another; empty where there is none.
        direction: ``oracle`` where the target is the oracle's value, else whether ``higher`` or ``lower`` is better.
        test: how it judges the model; None where it is there to be read.
    """

    meaning: str
    unit: str = "fraction"
    direction: Direction = "oracle"
    test: Test | None = "difference"


@dataclass(frozen=True, eq=False)
class Evidence:
    """What an audit looks at.

    Attributes:
        audited: the model in question, on the train, val and test splits, with its paired oracle; without one where the
            models cannot be trained again.
        original: the model that the audited one was made from, of the same training seed; it has seen D_f.
        class_names: one per class, K of them.
        pools: the models that the audit requires, evaluated on the same images, by the names of `Audit.pools`. All
            pools take the same training seeds in one order, so the n-th models of two pools are a pair.
        seed: of everything that the audit draws; a model and its oracle share it.
        inside: the networks of these models, where the audit says that it needs them.
        planted: what the forget request changed in D_f before anything was trained; mostly None.
    """

    audited: Evaluation
    original: Evaluation
    class_names: tuple[str, ...]
    pools: Mapping[str, tuple[Evaluation, ...]]
    seed: int
    inside: Networks | None = None
    planted: Planted | None = None

    @property
    def networks(self) -> Networks:
        """The networks of these models.

        Raises:
            InputError: (a ``ValueError``) the audit does not say that it needs them.
        """
        if self.inside is None:
            raise InputError("an audit that reads networks sets needs_network = True")
        return self.inside

    def images(self, group: Group) -> Images:
        """Return the images of a group, uint8, (N, C, H, W), in the order of `audited.of`.

        They are on the network's device, a tensor, or streamed to it where those of the split are.

        Raises:
            InputError: as `networks`.
        """
        images = self.networks.audited.images
        if group in ("train", "val", "test"):
            return images[group]
        train_NCHW, subset = images["train"], self.audited.subsets[group]
        if isinstance(train_NCHW, Streamed):
            return train_NCHW.only(subset)
        return train_NCHW[subset.to(train_NCHW.device)]


Finding = tuple[str, Value]
"""A statistic's name, and a value of it."""


LooksAt = Literal["outputs", "representations", "recovery"]
"""Where an audit looks for what is left: in the answers of a model, in what lies before them or around the images, or
in what comes back when the model is changed or trained further."""


class Audit(Options, ABC):
    """An attack on, or a test of, one model, with its options.

    Attributes:
        name: as studies call it; the same as its key in `AUDITS`.
        title: for people, a phrase.
        version: raised by hand when the same options come to mean other values; the audit is then run again.
        source: the paper, or where its definition is kept.
        statistics: what it may find, by name; rows call a statistic ``AUDIT_STATISTIC``.
        looks_at: where it looks, by which reports group audits.
        needs_control: whether it finds nothing where the forget request has no control half.
        needs_planted: what a forget request must have planted in D_f, where it finds nothing without that.
        multi_label: whether it works where an image has several labels or none; a study of such data that names
            another audit is refused.
        needs_network: whether it looks into networks, which `Evidence.networks` then has.
        needs_oracle: whether it finds nothing without oracles. One that says False is also run where there are none:
            each of its pools is empty then, and `Evidence.audited` has no oracle.
    """

    title: ClassVar[str]
    version: ClassVar[int] = 1
    source: ClassVar[str]
    statistics: ClassVar[Mapping[str, Statistic]]
    looks_at: ClassVar[LooksAt] = "outputs"
    needs_control: ClassVar[bool] = False
    needs_planted: ClassVar[Planting | None] = None
    needs_network: ClassVar[bool] = False
    needs_oracle: ClassVar[bool] = True
    multi_label: ClassVar[bool] = False

    name: str

    @property
    def pools(self) -> Mapping[str, ModelPool]:
        """The trained models that it requires beside the audited one, by a name of its own; none by default."""
        return {}

    @property
    def training_epochs(self) -> int:
        """How many epochs it trains a copy of each audited model for, which `lethe plan` shows."""
        return 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the images that it reads where the data has them (`Evaluation.columns`); none by default."""
        return ()

    def misfit(self, class_names: tuple[str, ...], columns: Collection[str]) -> str | None:
        """Return why the options do not fit data of these classes and columns; None where they do, as by default."""
        return None

    @abstractmethod
    def run(self, evidence: Evidence) -> Iterable[Finding]:
        """Return what the audit finds, each value with the name of its statistic; none that does not apply."""

    @property
    def metrics(self) -> dict[str, Statistic]:
        """What it may find, by the names that rows call it."""
        return {metric_name(self, name): statistic for name, statistic in self.statistics.items()}


def metric_name(audit: Audit, statistic: str) -> str:
    """Return what rows call a statistic of an audit."""
    return f"{audit.name}_{statistic}"

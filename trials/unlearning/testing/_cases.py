"""Models that audits are checked on: small ones that were trained, with their networks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, TypeVar

from torch import Tensor

from unlearning.audits import Audit, AuditNetwork, Evidence, Networks
from unlearning.data import Planted, SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, Streamed
from unlearning.evaluation import Evaluator
from unlearning.images import Images
from unlearning.metrics import Evaluation, Split
from unlearning.testing import _trained

PartT = TypeVar("PartT")

CLASS_NAMES: Final = tuple(f"class {index}" for index in range(_trained.CLASSES))
UNLEARNED: Final = 1000
"""The seed of the model that stands in for an unlearned one."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, evaluated on all three splits, and its network."""

    evaluation: Evaluation
    network: AuditNetwork

    def streamed(self, *, several: bool) -> "Model":
        """Return the same, with a network whose images are streamed to the device."""
        device, images = self.network.engine.device, _trained.images(several=several)
        streams = {split: Streamed(images_NCHW, device) for split, images_NCHW in images.items()}
        return replace(self, network=_network(self.network.weights, several, streams))


@dataclass(frozen=True, eq=False)
class Case:
    """What an audit is asked about.

    Attributes:
        oracle: the paired one; None where the models cannot be trained again.
        pools: those that the audit declares.
        read: names of the pools that were read.
        several: whether an image has any number of labels.
    """

    audit: Audit
    audited: Model
    original: Model
    oracle: Model | None
    pools: Mapping[str, tuple[Model, ...]]
    read: set[str]
    several: bool = False

    @property
    def planted(self) -> Planted:
        """What a forget request says that it changed in D_f; the models were trained on it as on any other images."""
        return _trained.planted(several=self.several)

    @property
    def models(self) -> list[Model]:
        """All of them."""
        alone = [self.audited, self.original, *([self.oracle] if self.oracle else [])]
        return [*alone, *(model for pool in self.pools.values() for model in pool)]

    @property
    def streamed(self) -> "Case":
        """The same, with networks whose images are streamed to the device."""

        def streamed(model: Model) -> Model:
            return model.streamed(several=self.several)

        pools = {name: tuple(map(streamed, pool)) for name, pool in self.pools.items()}
        audited, original = streamed(self.audited), streamed(self.original)
        oracle = streamed(self.oracle) if self.oracle else None
        return replace(self, audited=audited, original=original, oracle=oracle, pools=pools)

    @property
    def without_oracle(self) -> "Case":
        """The same where the models cannot be trained again: no oracle, and no model in any pool."""
        alone = replace(self.audited.evaluation, oracle=None, references=())
        return replace(
            self, audited=replace(self.audited, evaluation=alone), oracle=None, pools=dict.fromkeys(self.pools, ())
        )

    @property
    def evidence(self) -> Evidence:
        """What the audit gets."""
        inside = self.networks if self.audit.needs_network else None
        audited, original = self.audited.evaluation, self.original.evaluation
        return Evidence(audited, original, CLASS_NAMES, self.evaluations, 0, inside, self.planted)

    @property
    def evaluations(self) -> Mapping[str, tuple[Evaluation, ...]]:
        """The pools as audits of predictions see them."""
        return _Pools({name: tuple(one.evaluation for one in pool) for name, pool in self.pools.items()}, self.read)

    @property
    def networks(self) -> Networks:
        """The networks of all models."""
        pools = {name: tuple(one.network for one in pool) for name, pool in self.pools.items()}
        oracle = self.oracle.network if self.oracle else None
        return Networks(self.audited.network, oracle, _Pools(pools, self.read))


def unlearned_case(audit: Audit, nonmembers: Split = "test", *, several: bool = False) -> Case:
    """Ask an audit about a model that is neither its original nor its oracle; any other one stands in for it."""
    oracle, model = _model(0, True, nonmembers, several), _model(UNLEARNED, False, nonmembers, several)
    compared = replace(model.evaluation, oracle=oracle.evaluation, references=(oracle.evaluation,))
    return _case(audit, replace(model, evaluation=compared), oracle, nonmembers, several)


def oracle_case(audit: Audit) -> Case:
    """Ask an audit about an oracle, which is compared with itself."""
    oracle = _model(0, True, "test", several=False)
    compared = replace(oracle.evaluation, oracle=oracle.evaluation)
    return _case(audit, replace(oracle, evaluation=compared), oracle, "test", several=False)


def _case(audit: Audit, audited: Model, oracle: Model, nonmembers: Split, several: bool) -> Case:
    original, pools = _model(0, False, nonmembers, several), _pools(audit, nonmembers, several)
    return Case(audit, audited, original, oracle, pools, set(), several)


def _pools(audit: Audit, nonmembers: Split, several: bool) -> dict[str, tuple[Model, ...]]:
    return {
        name: tuple(_model(1 + seed, pool.subset == "retain", nonmembers, several) for seed in range(pool.models))
        for name, pool in audit.pools.items()
    }


def _model(seed: int, retain: bool, nonmembers: Split, several: bool) -> Model:
    state = {name: value.clone() for name, value in _trained.weights(seed, retain=retain, several=several).items()}
    logits = {split: values_NK.clone() for split, values_NK in _logits(seed, retain, several).items()}
    data, forget = _trained.data(several=several), _trained.forget(several=several)
    evaluation = Evaluator(data, forget, seed=0).evaluation(logits)
    return Model(replace(evaluation, nonmembers=nonmembers), _network(state, several))


def _network(
    state: Mapping[str, Tensor], several: bool, images: Mapping[SplitName, Images] | None = None
) -> AuditNetwork:
    images, recipe = images or _trained.images(several=several), _trained.RECIPE
    network = _trained.NETWORK.build(1, _trained.CLASSES, seed=5)
    engine = Engine(network, images["train"], augmentation=AUGMENTATIONS["none"], precision=recipe.precision)
    return AuditNetwork(engine, images, recipe, lambda: state)


@cache
def _logits(seed: int, retain: bool, several: bool) -> dict[SplitName, Tensor]:
    engine = _network(_trained.weights(seed, retain=retain, several=several), several).restored()
    return {split: engine.predict(images_NCHW) for split, images_NCHW in _trained.images(several=several).items()}


class _Pools(Mapping[str, tuple[PartT, ...]]):
    """The pools that an audit declares; notes which are read."""

    def __init__(self, pools: Mapping[str, tuple[PartT, ...]], read: set[str]) -> None:
        self._pools = pools
        self._read = read

    def __getitem__(self, name: str) -> tuple[PartT, ...]:
        if name not in self._pools:
            raise AssertionError(f"it reads the pool {name!r}, which it does not declare: {list(self._pools)}")
        self._read.add(name)
        return self._pools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pools)

    def __len__(self) -> int:
        return len(self._pools)

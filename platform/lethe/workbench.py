"""A worker's workbench: what unlearning runs start from and are compared with, loaded once and kept warm.

A bench belongs to a question and a training seed: the model on the device, the original's weights, the ranked scores of
saliency, and the measurements of original and oracle. Benches that were used lately are kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from lethe.cluster import Shelf, claim_device
from lethe.place import PlaceError
from lethe.pool import Artefact, CorruptArtefactError, Pool
from lethe.provenance import Provenance
from lethe.study import ArtefactKey, Question, Share
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import ARMS
from unlearning.engine import Engine
from unlearning.methods import ForgetTask, Method, Subject
from unlearning.saliency import Saliency
from unlearning.trial import EpochResult, Logits, unlearn
from unlearning.yardstick import Measures, ReportMeasures, Yardstick

KEPT_BENCHES = 8
KEPT_DATASETS = 2

_ADVICE = "It was whole when the run began. The same command makes it again and goes on."


class MissingArtefactError(PlaceError):
    """An artefact that a run starts from is not in the pool, or not whole, since the run was planned."""


@dataclass(frozen=True)
class Bench:
    """What the runs of one question on one training seed share.

    Attributes:
        subject: without saliency scores, which are loaded for the first setting that needs them.
        weights: of the original, on the device.
        original_logits, oracle_logits: of all three splits.
        seconds_retrain: what training the oracle took.
        images_retrain: passes of a training image through the network, forward and backward, that training the oracle
            took: its epochs x |D_r|.
        load: gets an artefact from the pool.
    """

    question: Question
    seed: int
    data: ImageData
    images: Mapping[SplitName, Tensor]
    subject: Subject
    weights: Mapping[str, Tensor]
    original_logits: Logits
    oracle_logits: Logits
    seconds_retrain: float
    images_retrain: int
    load: Callable[[ArtefactKey], Artefact]

    @cached_property
    def yardstick(self) -> Yardstick:
        """What the models of this bench are measured on."""
        return Yardstick(self.data, self.question.forget, self.question.unlearning_seed(self.seed))

    @cached_property
    def original(self) -> Measures:
        """What a search sees of the original."""
        return self.yardstick.measure(self.original_logits)[0]

    @cached_property
    def oracle(self) -> Measures:
        """What a search sees of the oracle."""
        return self.yardstick.measure(self.oracle_logits)[0]

    @cached_property
    def oracle_report(self) -> ReportMeasures:
        """What is reported of the oracle."""
        return self.yardstick.report(self.oracle_logits)

    def unlearn(self, method: Method, splits: tuple[SplitName, ...], *, every_epoch: bool) -> Iterator[EpochResult]:
        """Run a method from the original; evaluate it on these splits."""
        images = {split: self.images[split] for split in splits}
        seed = self.question.unlearning_seed(self.seed)
        subject = replace(self.subject, saliency=self._saliency_for(method))
        return unlearn(subject, self.weights, method, seed, images, every_epoch=every_epoch)

    def threshold(self, method: Method) -> float | None:
        """Give gamma, the saliency score below which a setting freezes a weight; None where no score decides."""
        return method.threshold(self._saliency_for(method))

    def seconds_saliency(self, method: Method) -> float:
        """Give the seconds that a setting's scores took; 0 where it needs none."""
        return self._scores.manifest.facts.seconds_train if method.needs_saliency else 0.0

    def images_saliency(self, method: Method) -> int:
        """Count the training images that a setting's scores took: D_f once; 0 where it needs none."""
        return len(self.question.forget.indices_F) if method.needs_saliency else 0

    def _saliency_for(self, method: Method) -> Saliency | None:
        return self._saliency if method.needs_saliency else None

    @cached_property
    def _scores(self) -> Artefact:
        return self.load(self.question.saliency(self.seed))

    @cached_property
    def _saliency(self) -> Saliency:
        scores = self._scores.files["scores"]
        return Saliency({name: scores[name].to(value.device) for name, value in self.subject.model.named_parameters()})


class Workbench:
    """The benches of one worker.

    Args:
        share: what the worker was given of the machine; says which device it computes on.
    """

    def __init__(self, pool: Pool, shelf: Shelf, share: Share) -> None:
        self._pool = pool
        self._shelf = shelf
        self._share = share
        self.device = claim_device(share)
        self._benches: OrderedDict[tuple[str, int], Bench] = OrderedDict()
        self._images: OrderedDict[str, dict[SplitName, Tensor]] = OrderedDict()

    @property
    def provenance(self) -> Provenance:
        """Where this worker works, and what it holds of the machine."""
        return Provenance.here(self.device, self._share.cpu, self._share.gpu)

    def bench(self, question: Question, seed: int) -> Bench:
        """Give the bench of a question and a training seed.

        Raises:
            MissingArtefactError: an artefact is not in the pool, or its bytes are not what its manifest promises.
        """
        name = (question.fingerprint, seed)
        if name not in self._benches:
            while len(self._benches) >= KEPT_BENCHES:
                self._benches.popitem(last=False)
            self._benches[name] = self._set_up(question, seed)
        self._benches.move_to_end(name)
        return self._benches[name]

    def _set_up(self, question: Question, seed: int) -> Bench:
        data = self._shelf[question.data_hash]
        original = self._load(question.original(seed))
        oracle = self._load(question.oracle(seed))
        images = self._on_device(data)
        model = question.network.build(question.channels, question.classes, seed=0).to(self.device)
        forget_N = torch.zeros(question.train_count, dtype=torch.bool)
        forget_N[question.forget.indices_F] = True
        return Bench(
            question=question,
            seed=seed,
            data=data,
            images=images,
            subject=Subject(
                engine=Engine(model, images["train"], arm=ARMS[question.arm], precision=question.recipe.precision),
                task=ForgetTask(data.train.labels_N, forget_N, data.classes),
                saliency=None,
            ),
            weights={name: value.to(self.device) for name, value in original.files["weights"].items()},
            original_logits=logits_of(original),
            oracle_logits=logits_of(oracle),
            seconds_retrain=oracle.manifest.facts.seconds_train,
            images_retrain=(oracle.manifest.facts.epochs or 0) * len(question.forget.retain_R),
            load=self._load,
        )

    def _load(self, key: ArtefactKey) -> Artefact:
        try:
            artefact = self._pool.load(key)
        except CorruptArtefactError as error:
            raise MissingArtefactError(f"{error}\n{_ADVICE}") from error
        if artefact is None:
            raise MissingArtefactError(f"the {key.kind} {self._pool.uri(key)} is gone\n{_ADVICE}")
        return artefact

    def _on_device(self, data: ImageData) -> Mapping[SplitName, Tensor]:
        name = data.content_hash
        if name not in self._images:
            while len(self._images) >= KEPT_DATASETS:
                self._images.popitem(last=False)
            splits = {"train": data.train, "val": data.val, "test": data.test}
            self._images[name] = {
                cast(SplitName, split): images.images_NCHW.to(self.device) for split, images in splits.items()
            }
        self._images.move_to_end(name)
        return self._images[name]


def logits_of(model: Artefact) -> Logits:
    """Give the logits that a model's artefact keeps, by split."""
    return cast(Logits, model.files["logits"])

"""An original that has learnt its images by heart, an oracle, and evidence about either, for audits of networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from torch import Tensor

from unlearning.audits import AuditNetwork, Evidence, Networks
from unlearning.data import ImageData, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import (
    AnyForgetRequest,
    Confusion,
    ForgetSet,
    Gaussian,
    RandomShare,
    WholeClass,
    plant,
    select,
)
from unlearning.engine import Engine
from unlearning.evaluation import Evaluator
from unlearning.metrics import Evaluation, Split
from unlearning.models import CNN
from unlearning.training import Recipe, Training

RECIPE = Recipe(epochs=15, batch_size=32)
NETWORK = CNN(width=8)
HEAD = ("1.11.weight", "1.11.bias")


@dataclass(frozen=True)
class Lab:
    """Evidence about models of one seed, as a confirmation makes it."""

    request: str
    data: ImageData
    forget: ForgetSet
    images: Mapping[Split, Tensor]

    def network(self, weights: Mapping[str, Tensor]) -> AuditNetwork:
        engine = Engine(
            NETWORK.build(1, self.data.classes, seed=9),
            self.images["train"],
            augmentation=AUGMENTATIONS["none"],
            precision="float32",
        )
        return AuditNetwork(engine, self.images, RECIPE, lambda: weights)

    def evaluation(self, weights: Mapping[str, Tensor]) -> Evaluation:
        engine = self.network(weights).restored()
        logits = {split: engine.predict(images_NCHW) for split, images_NCHW in self.images.items()}
        return Evaluator(self.data, self.forget, seed=0).evaluation(logits)

    def evidence(self, weights: Mapping[str, Tensor]) -> Evidence:
        """About a model with these weights, beside the original, the oracle and an oracle of another seed."""
        oracle, other = self.weights("oracle", 0), self.weights("oracle", 1)
        audited = replace(self.evaluation(weights), oracle=self.evaluation(oracle))
        pools = {"oracles": (self.network(other),), "originals": (self.network(self.weights("original", 1)),)}
        networks = Networks(self.network(weights), self.network(oracle), pools)
        return Evidence(
            audited,
            self.evaluation(self.weights("original", 0)),
            self.data.class_names,
            {"oracles": (self.evaluation(other),)},
            seed=0,
            inside=networks,
            planted=self.data.planted,
        )

    def weights(self, name: str, seed: int = 0) -> Mapping[str, Tensor]:
        """Those of an original, an oracle, or the original hidden: behind a head that names the next class."""
        trained = _trained(self.request, "original" if name == "hidden" else name, seed)
        turned = HEAD if name == "hidden" else ()
        return {part: value.roll(1, 0) if part in turned else value.clone() for part, value in trained.items()}


REQUESTS: dict[str, AnyForgetRequest] = {
    "random": RandomShare(fraction=0.25),
    "class": WholeClass(class_index=1),
    "confusion": Confusion(classes=(0, 1), fraction=0.4),
    "gaussian": Gaussian(fraction=0.25, sigma=0.2),
}


@cache
def _lab(request: str) -> Lab:
    found = load(Synthetic(train=160, val=80, test=80, size=12, classes=3))
    forget = select(REQUESTS[request], found, seed=0)
    data = plant(REQUESTS[request], found, forget, seed=0)
    images: dict[Split, Tensor] = {
        "train": data.train.images_NCHW,
        "val": data.val.images_NCHW,
        "test": data.test.images_NCHW,
    }
    return Lab(request, data, forget, images)


@cache
def _trained(request: str, name: str, seed: int) -> Mapping[str, Tensor]:
    lab = _lab(request)
    train = lab.data.train
    training = Training(
        NETWORK.build(1, lab.data.classes, seed=seed),
        train.images_NCHW,
        train.labels_N,
        lab.forget.retain_R if name == "oracle" else torch.arange(len(train)),
        recipe=RECIPE,
        augmentation=AUGMENTATIONS["none"],
        seed=seed,
    )
    for _ in range(RECIPE.epochs):
        training.advance()
    return {part: value.clone() for part, value in training.model.state_dict().items()}


@pytest.fixture(scope="session")
def lab() -> Lab:
    return _lab("random")


@pytest.fixture(scope="session")
def evidence_of(lab: Lab) -> Callable[[str], Evidence]:
    """Makes evidence about the original, the oracle, or the original whose head names the next class."""
    return lambda name: lab.evidence(lab.weights(name))


@pytest.fixture(scope="session")
def evidence_of_request() -> Callable[[str, str], Evidence]:
    """Makes the same evidence for another request, by its name in `REQUESTS`."""
    return lambda request, name: _lab(request).evidence(_lab(request).weights(name))

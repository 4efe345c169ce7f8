"""The saliency scores of a model on a subset of its train images."""

import time
from collections.abc import Generator
from dataclasses import dataclass

from lethe.artifacts._recipe import Product, Workshop
from lethe.artifacts.kinds._model_on_subset import ModelOnSubset
from lethe.artifacts.kinds._trained_model import original
from lethe.study import Scenario
from unlearning.engine import Streamed
from unlearning.saliency import SALIENCY_VERSION, saliency_scores


@dataclass(frozen=True, eq=False)
class SaliencyScores(ModelOnSubset):
    """How strongly the loss on a subset pulls on each weight of a model."""

    kind = "saliency"
    version = SALIENCY_VERSION
    files = frozenset({"scores"})

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Take the scores, in one step."""
        network = self.model.trained_network(workshop)
        train = workshop.data(self.model.scenario.data_hash).train
        images_MCHW = Streamed(train.images_NCHW, workshop.device, self.subset.indices_M)
        labels_M = train.labels_N[self.subset.indices_M].to(workshop.device)
        begun = time.perf_counter()
        scores = saliency_scores(network, images_MCHW, labels_M)
        seconds = time.perf_counter() - begun
        yield
        return Product({"scores": scores}, seconds=seconds, images=len(self.subset))


def saliency(scenario: Scenario, seed: int) -> SaliencyScores:
    """Return the recipe of the saliency scores of an original on the forget set."""
    return SaliencyScores(original(scenario, seed), scenario.partition(seed).forgotten)

"""The adversarial images of a model beside those of a subset of its train images."""

import time
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import torch
from torch import Tensor

from lethe.artifacts._recipe import Product, Tensors, Workshop, keeping
from lethe.artifacts.kinds._model_on_subset import ModelOnSubset
from unlearning.adversarial import ADVERSARIAL_VERSION, STANDARD, Adversarial, adversarial_images

STEP_IMAGES: Final = 128


@dataclass(frozen=True, eq=False)
class AdversarialImages(ModelOnSubset):
    """The nearest images that a model takes for another class, by the standard attack."""

    kind = "adversarial_images"
    version = ADVERSARIAL_VERSION
    files = frozenset({"images"})

    @property
    def inputs(self) -> Mapping[str, object]:
        """The hash of the subset, and the attack."""
        return {**super().inputs, "attack": asdict(STANDARD)}

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Attack the images, about a hundred a step."""
        network = self.model.trained_network(workshop)
        train = workshop.data(self.model.scenario.data_hash).train
        state = self._begin(workshop, train.images_NCHW)
        for indices_S in self.subset.indices_M[len(state["labels"]) :].split(STEP_IMAGES):
            begun = time.perf_counter()
            images_SCHW, labels_S = train.images_NCHW[indices_S], train.labels_N[indices_S]
            found = adversarial_images(network, images_SCHW.to(workshop.device), labels_S.to(workshop.device), STANDARD)
            for name, value in found.tensors.items():
                state[name] = torch.cat([state[name], value.cpu()])
            state["passes"] += found.passes
            state["seconds"] += time.perf_counter() - begun
            with keeping(workshop, self, lambda: state):
                yield
        made = Adversarial.read(state)
        return Product({"images": made.tensors}, seconds=float(state["seconds"]), images=int(state["passes"]))

    def _begin(self, workshop: Workshop, images_NCHW: Tensor) -> Tensors:
        """Return what a checkpoint that fits holds, else no image."""
        none = Adversarial(images_NCHW[:0].float(), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
        fresh = {**none.tensors, "passes": torch.tensor(0), "seconds": torch.tensor(0.0, dtype=torch.float64)}
        return self._resumed(workshop, fresh, _form, lambda state: len(state["labels"]))


def _form(state: Tensors) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """Return shapes but for the number of images, which a checkpoint has fewer of, and types."""
    return {name: (value.shape[1:], value.dtype) for name, value in state.items()}

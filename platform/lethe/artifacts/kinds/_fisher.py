"""The diagonal Fisher information of a model on a subset of its train images."""

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from lethe.artifacts._recipe import Product, Tensors, Workshop, keeping
from lethe.artifacts.kinds._model_on_subset import ModelOnSubset
from unlearning.fisher import FISHER_VERSION, squared_gradients

STEP_IMAGES: Final = 512


@dataclass(frozen=True, eq=False)
class FisherInformation(ModelOnSubset):
    """How sharply each weight of a model determines its predictions for the images of a subset."""

    kind = "fisher_information"
    version = FISHER_VERSION
    files = frozenset({"information"})

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Sum over the images, about a hundred a step, and divide by their number."""
        network = self.model.trained_network(workshop)
        train = workshop.data(self.model.scenario.data_hash).train
        state = self._begin(workshop, network)
        for indices_S in self.subset.indices_M[int(state["done"]) :].split(STEP_IMAGES):
            begun = time.perf_counter()
            sums = squared_gradients(
                network, train.images_NCHW[indices_S].to(workshop.device), train.labels_N[indices_S].to(workshop.device)
            )
            for name, value in sums.items():
                state[f"sum/{name}"] += value.cpu()
            state["done"] += len(indices_S)
            state["seconds"] += time.perf_counter() - begun
            with keeping(workshop, self, lambda: state):
                yield
        information = {name: state[f"sum/{name}"] / len(self.subset) for name, _ in network.named_parameters()}
        return Product({"information": information}, seconds=float(state["seconds"]), images=len(self.subset))

    def _begin(self, workshop: Workshop, network: nn.Module) -> Tensors:
        """Return the sums of a checkpoint that fits, else of no image."""
        fresh: dict[str, Tensor] = {
            f"sum/{name}": torch.zeros(value.shape) for name, value in network.named_parameters()
        }
        fresh |= {"done": torch.tensor(0), "seconds": torch.tensor(0.0, dtype=torch.float64)}
        return self._resumed(workshop, fresh, _form, lambda state: int(state["done"]))


def _form(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (value.shape, value.dtype) for name, value in state.items()}

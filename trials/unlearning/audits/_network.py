"""The networks behind the evidence of an audit, which it may look into and train further."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import torch
from torch import Tensor, nn

from unlearning.engine import DataPass, Engine, any_parameter, layers
from unlearning.errors import InputError
from unlearning.images import Images
from unlearning.metrics import Split
from unlearning.own_recipe import AnyRecipe
from unlearning.schedules import Cosine
from unlearning.seeds import generator
from unlearning.tasks import summed_loss
from unlearning.training import Recipe, epoch_order

AT_ONCE: Final = 128
"""Images whose gradients are computed at a time."""


@dataclass(frozen=True, eq=False)
class AuditNetwork:
    """The network of one model.

    The networks of an audit share one engine, on which the weights of one of them are at a time. What is done to a
    network there lasts until the weights of one are put on the engine again, and changes neither the weights that are
    kept nor any logits that were measured.

    Attributes:
        engine: its images are the train split, its augmentation and precision those of the training.
        images: uint8, (N, C, H, W), of each split, on the engine's device, or streamed to it.
        trained_by: how originals and oracles were trained.
        read: returns the state dict; it is called when the weights are first needed.
    """

    engine: Engine
    images: Mapping[Split, Images]
    trained_by: AnyRecipe
    read: Callable[[], Mapping[str, Tensor]] = field(repr=False)

    @property
    def recipe(self) -> Recipe:
        """The recipe that originals and oracles were trained by; an audit that asks for it sets `training_epochs`.

        Raises:
            InputError: (a ``ValueError``) they were trained by a function of the user's.
        """
        if not isinstance(self.trained_by, Recipe):
            raise InputError(f"wanted models trained by a recipe, got models {self.trained_by.title}")
        return self.trained_by

    @cached_property
    def weights(self) -> Mapping[str, Tensor]:
        """The state dict; nothing may change it."""
        return self.read()

    def restored(self) -> Engine:
        """Return the engine with the network at its weights, whatever was done to one there before."""
        self.engine.model.load_state_dict(dict(self.weights))
        return self.engine

    def features(self, images_NCHW: Images) -> Tensor:
        """Return what the last layer of the network gets for uint8 images: float64, (N, D), on the CPU.

        Raises:
            InputError: (a ``ValueError``) the network has no convolution or linear layer.
        """
        engine, inputs = self.restored(), list[Tensor]()

        def keep(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            inputs.append(arguments[0].flatten(1).cpu().double())

        with layers(engine)[-1].register_forward_pre_hook(keep):
            engine.forward(images_NCHW)
        return torch.cat(inputs)

    def layer_features(self, images_NCHW: Images, last: int) -> list[Tensor]:
        """Return what the last layers get for uint8 images, averaged over pixels; the last of them gets `features`.

        A layer is a part of the network's body, such as a block, that has weights of a convolution or a linear layer.

        Args:
            last: how many layers; fewer where the network has fewer.

        Returns:
            For each layer, first to last: float64, (N, D), on the CPU; D is the layer's number of channels.
        """
        engine = self.restored()
        parts = _parts(engine)[-last:]
        kept = [list[Tensor]() for _ in parts]

        def keep_in(inputs: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
            return lambda module, arguments: inputs.append(_over_pixels(arguments[0]).cpu().double())

        with ExitStack() as hooks:
            for layer, inputs in zip(parts, kept, strict=True):
                hooks.enter_context(layer.register_forward_pre_hook(keep_in(inputs)))
            engine.forward(images_NCHW)
        return [torch.cat(inputs) for inputs in kept]

    def input_gradients(self, images_NCHW: Images, labels_N: Tensor) -> Tensor:
        """Return the gradient of each image's cross-entropy by its pixels in [0, 1]: float64, (N, C, H, W), on the CPU.

        In eval mode and float64, since a model that is sure of an image has a gradient that float32 may round to zero.

        Args:
            images_NCHW: uint8, on any device.
            labels_N: int64.
        """
        engine = self.restored()
        model = deepcopy(engine.model).double().eval()
        gradients = list[Tensor]()
        for images_BCHW, labels_B in zip(images_NCHW.split(AT_ONCE), labels_N.split(AT_ONCE), strict=True):
            pixels_BCHW = (images_BCHW.to(engine.device).double() / 255).requires_grad_()
            loss = summed_loss(model(pixels_BCHW), labels_B.to(engine.device))
            [gradient_BCHW] = torch.autograd.grad(loss, [pixels_BCHW])
            gradients.append(gradient_BCHW.cpu())
        return torch.cat(gradients)

    def trained_further(
        self, indices_M: Tensor, labels_N: Tensor, *, epochs: int, lr: float, seed: int
    ) -> Iterator[Engine]:
        """Train the network further at a rate of its own; yield the engine after each epoch.

        By SGD on plain cross-entropy, with the recipe's momentum, weight decay and batch size, whatever its optimiser
        and loss are: so an audit means the same for all recipes.

        The rate falls to zero by half a cosine over all epochs: at a constant one, a network that fits its images may
        lose them again for an epoch, whichever these are, and the last point of a curve would show that.

        Args:
            lr: the rate of the first step.
            indices_M: int64, (M,): the train images to train on, each once an epoch.
            labels_N: int64, (N,): the labels of all of train, on the CPU.
            seed: of the order of the images and of the augmentation.
        """
        engine, recipe = self.restored(), self.recipe
        used_N = torch.zeros(len(labels_N), dtype=torch.bool).index_fill_(0, indices_M, True)
        engine.begin(momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        for epoch in range(1, epochs + 1):
            order_N = epoch_order(seed, epoch, len(labels_N))
            order_M = order_N[used_N[order_N]]
            data_pass = DataPass(order_M, labels_N[order_M])
            steps = data_pass.steps(recipe.batch_size)
            done = ((epoch - 1 + step / steps) / epochs for step in range(steps))
            engine.model.train()
            engine.train_epoch(
                [data_pass],
                batch_size=recipe.batch_size,
                learning_rates=(lr * Cosine().factor(progress) for progress in done),
                random=generator(seed, "augment", epoch),
            )
            yield engine


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of the models that an audit looks at.

    Attributes:
        audited: the model in question.
        paired: the paired oracle; for an oracle itself; None where the models cannot be trained again.
        pools: the models that the audit requires, by the names of `Audit.pools`.
    """

    audited: AuditNetwork
    paired: AuditNetwork | None
    pools: Mapping[str, tuple[AuditNetwork, ...]] = field(default_factory=dict)

    @property
    def oracle(self) -> AuditNetwork:
        """The paired oracle.

        Raises:
            InputError: (a ``ValueError``) there is none.
        """
        if self.paired is None:
            raise InputError("there is no oracle here; an audit that looks into one has needs_oracle = True")
        return self.paired


def _parts(engine: Engine) -> list[nn.Module]:
    """Return the parts of the body that have a layer with weights, in the order in which they compute last."""
    body = [part for part in engine.model.children() if any_parameter(part)][-1]
    place = {id(layer): place for place, layer in enumerate(layers(engine))}
    places = {part: [place[id(one)] for one in part.modules() if id(one) in place] for part in body.children()}
    weighted = sorted((part for part in places if places[part]), key=lambda part: max(places[part]))
    return weighted or [*layers(engine)[-1:]]


def _over_pixels(features_NDs: Tensor) -> Tensor:
    """Average over the pixels of (N, D, H, W), or over the tokens of (N, T, D): (N, D)."""
    if features_NDs.dim() == 3:
        return features_NDs.mean(1)
    return features_NDs.flatten(2).mean(2) if features_NDs.dim() > 3 else features_NDs

"""Several networks of one architecture trained in one step, each on images, labels, rates and masks of its own.

What each engine does by itself is gathered step by step: images of all are passed through the networks side by side
(`grouped`), each rule makes a loss of its own logits, one backward pass has the gradients of all, and each optimiser
moves its own weights. A network sees no number of another one, so one that diverges does not disturb the others. The
weights are those of a run by itself but for rounding, since other kernels add in another order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor

from unlearning.engine._cuda_graphs import Replays, replays_wanted
from unlearning.engine._engine import Engine, logits_by, unit_interval
from unlearning.engine._grouped import grouped
from unlearning.engine._steps import Batch, PlannedEpoch, PlannedStep, Step

_PROBED: Final = 4


class _GradientWanted(BaseException):
    """Ends a rule where it asks for a gradient that is not there yet; no rule may catch it."""

    def __init__(self, loss: Tensor) -> None:
        self.loss = loss


@dataclass(frozen=True)
class _GatheredStep(Step):
    """A step whose gradients are computed for all networks at once.

    A rule is called until it ends: each time it gets the gradients that are known, and stops where it asks for more.
    """

    known: Iterator[list[Tensor]]

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """Return the next gradient that is known."""
        known = next(self.known, None)
        if known is None:
            raise _GradientWanted(loss)
        return known


class FusedEngine:
    """Engines that take their steps together.

    A step is taken together where all engines that run have one, with batches of the same sizes, teachers, and modes of
    layers; else each takes its own.

    Args:
        engines: two or more, whose networks were made with the same options, on one device, in one precision. The
            weights are moved in memory, and stay those of the engines.

    Attributes:
        taken_together: steps, since this was made.
        taken_alone: steps of a single engine.

    Raises:
        NotGroupedError: these networks cannot be computed side by side.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = list(engines)
        self.taken_together = self.taken_alone = 0
        first = self.engines[0]
        for engine in self.engines:
            engine.weights_moved()
        probed = torch.arange(min(_PROBED, len(first.images_NCHW)), device=first.device)
        probe_BCHW = unit_interval(first.images_NCHW[probed])
        self._network = grouped([engine.model for engine in self.engines], probe_BCHW)
        self._parameters = list(self._network.parameters())
        self._replays: Replays | None = None
        self._recorded: set[int] = set()
        if first.device.type == "cuda" and replays_wanted():
            self._replays = Replays([])

    def train_epochs(self, epochs: Mapping[int, PlannedEpoch]) -> dict[int, float]:
        """Run an epoch of some engines, by their numbers; the networks of the others are nobody's meanwhile.

        Returns:
            The mean loss of each, as that of `Engine.train_epoch`.
        """
        self._know_state()
        planned = {number: self.engines[number].steps(epoch) for number, epoch in epochs.items()}
        while True:
            steps = {number: step for number, one in planned.items() if (step := next(one, None)) is not None}
            if not steps:
                return {number: self.engines[number].mean_loss(epoch) for number, epoch in epochs.items()}
            if len(steps) == len(epochs) > 1 and self._are_alike(steps):
                self._take_together(steps)
                self.taken_together += 1
            else:
                for number, step in steps.items():
                    self.engines[number].take(step)
                self.taken_alone += len(steps)

    def _are_alike(self, steps: Mapping[int, PlannedStep]) -> bool:
        shapes = {tuple(part.shape for inputs in step.inputs for part in inputs) for step in steps.values()}
        return len(shapes) == len({step.kinds for step in steps.values()}) == len({*map(self._modes, steps)}) == 1

    def _modes(self, number: int) -> tuple[bool, ...]:
        return tuple(module.training for module in self.engines[number].model.modules())

    def _take_together(self, steps: Mapping[int, PlannedStep]) -> None:
        for number, step in steps.items():
            step.optimizer.lr.fill_(step.learning_rate)
            self.engines[number].images_trained += step.images
        modes = dict(self.engines[next(iter(steps))].model.named_modules())
        for name, module in self._network.named_modules():
            module.training = modes[name].training if name in modes else module.training
        inputs = [tensor for step in steps.values() for batch in step.inputs for tensor in batch]
        work = partial(self._take, steps)
        if self._replays is None:
            work(*inputs)
        else:
            named = tuple((number, step.name) for number, step in steps.items())
            self._replays.run((named, self._modes(next(iter(steps)))), work, inputs)

    def _take(self, steps: Mapping[int, PlannedStep], *inputs: Tensor) -> Tensor:
        """Take a step of each; ``inputs`` are those of all steps, stream by stream."""
        given = iter(inputs)
        parts = {number: [tuple(next(given) for _ in batch) for batch in step.inputs] for number, step in steps.items()}
        batches: dict[int, list[Batch]] = {number: [] for number in steps}
        for stream in range(len(next(iter(parts.values())))):
            kinds = {number: step.kinds[stream] for number, step in steps.items()}
            for number, batch in self._batches({number: one[stream] for number, one in parts.items()}, kinds).items():
                batches[number].append(batch)
        gathered = self._run_rules(steps, batches)
        for number, step in steps.items():
            loss, gradients = gathered[number]
            step.optimizer.step(gradients)
            if step.end is not None:
                step.end(self.engines[number].step_of(step.optimizer))
            total = self.engines[number].add_loss(loss, sum(len(batch.labels_B) for batch in batches[number]))
        return total

    def _batches(
        self, parts: Mapping[int, tuple[Tensor, ...]], kinds: Mapping[int, tuple[tuple[str, ...], bool]]
    ) -> dict[int, Batch]:
        """Pass a batch of each through the networks side by side; those that do not run get black images."""
        views, taught = {}, {}
        for number, (indices_B, _, *streamed) in parts.items():
            engine = self.engines[number]
            views[number] = engine.views(kinds[number], indices_B, *streamed)
            taught[number] = engine.taught(kinds[number], indices_B, views[number])
        black = torch.zeros_like(next(iter(views.values())))
        beside = torch.cat([views.get(number, black) for number in range(len(self.engines))], 1)
        logits_BKC = logits_by(self._network, beside, self.engines[0].precision)
        return {
            number: Batch(logits_BKC[:, number], labels_B, taught[number])
            for number, (_, labels_B, *_) in parts.items()
        }

    def _run_rules(
        self, steps: Mapping[int, PlannedStep], batches: Mapping[int, Sequence[Batch]]
    ) -> dict[int, tuple[Tensor, Sequence[Tensor]]]:
        """Run the rule of each step; where rules ask for a gradient, compute those of all in one backward pass."""
        known: dict[int, list[list[Tensor]]] = {number: [] for number in steps}
        ended: dict[int, tuple[Tensor, Sequence[Tensor]]] = {}
        while True:
            asked: dict[int, Tensor] = {}
            for number in steps.keys() - ended.keys():
                own = self.engines[number].step_of(steps[number].optimizer)
                gathered = _GatheredStep(own.parameters, own.numbers, own.kept, iter(known[number]))
                try:
                    ended[number] = steps[number].rule(batches[number], gathered)
                except _GradientWanted as wanted:
                    asked[number] = wanted.loss
            if not asked:
                return ended
            for number, gradients in self._gradients(asked).items():
                known[number].append(gradients)

    def _gradients(self, losses: Mapping[int, Tensor]) -> dict[int, list[Tensor]]:
        """Compute the gradient of each loss: that of their sum, in which each parameter has one loss alone."""
        total = torch.stack(list(losses.values())).sum()
        whole = torch.autograd.grad(total, self._parameters, retain_graph=True, materialize_grads=True)
        parts = [one.chunk(len(self.engines)) for one in whole]
        return {number: [part[number] for part in parts] for number in losses}

    def _know_state(self) -> None:
        """Let recordings know what a step changes, with optimisers that were made since."""
        if self._replays is not None:
            new = [one for engine in self.engines for one in engine.state if id(one) not in self._recorded]
            self._recorded |= {id(one) for one in new}
            self._replays.add_state(new)

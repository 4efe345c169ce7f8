"""Unlearning runs in step: several runs of small networks, whose epochs are trained together (`FusedEngine`).

A run has a slot: an engine, and on it a setting, seed, order of images and mask of its own. When its run has ended, or
was given up, the slot takes the next one.
"""

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from unlearning.engine import FusedEngine, PlannedEpoch
from unlearning.errors import InputError
from unlearning.methods import DescentMethod, Method, UnlearningContext
from unlearning.seeds import derive, seeded


def misfit(method: Method) -> str | None:
    """Return why runs of a method cannot be in step; None where they can."""
    if not isinstance(method, DescentMethod):
        return "it is no gradient descent over epochs"
    if type(method).unlearn is not DescentMethod.unlearn:
        return "it runs its epochs by itself"
    return None


@dataclass
class _Run:
    context: UnlearningContext
    method: DescentMethod
    seed: int
    prepared: object = None
    epoch: int = 0
    loss: float | None = None

    def plan(self) -> PlannedEpoch:
        """Plan the next epoch; before the first one, begin."""
        self.epoch += 1
        with self._seeded():
            if self.epoch == 1:
                self.prepared = self.method.begin(self.context, self.seed)
            return self.method.plan(self.context, self.seed, self.epoch, self.prepared)

    def end_epoch(self, loss: float) -> None:
        """Do what follows the steps of an epoch."""
        with self._seeded():
            self.method.end_epoch(self.context, self.seed, self.epoch, self.prepared)
        self.loss = loss

    def _seeded(self) -> AbstractContextManager[None]:
        return seeded(derive(self.seed, "network", self.epoch), self.context.engine.device)


class RunsInStep:
    """Slots for runs in step; ask each of them for its next loss before any is asked again.

    Args:
        contexts: one a slot, each with an engine of its own; see `FusedEngine`.

    Raises:
        NotGroupedError: their networks cannot be computed side by side.
    """

    def __init__(self, contexts: Sequence[UnlearningContext]) -> None:
        self.fused = FusedEngine([context.engine for context in contexts])
        self._runs: dict[int, _Run] = {}

    def losses(self, slot: int, context: UnlearningContext, method: Method, seed: int) -> Generator[float, None, None]:
        """Put a run into a slot, and return what `Method.unlearn` would; closed early, it frees the slot.

        A run that is there is given up.

        Args:
            context: with the engine of the slot, whose network is at the original's weights.

        Raises:
            InputError: runs of the method cannot be in step.
        """
        if fault := misfit(method):
            raise InputError(f"{type(method).title}: {fault}; wanted a method whose runs can be in step")
        assert isinstance(method, DescentMethod) and context.engine is self.fused.engines[slot]
        self._runs[slot] = run = _Run(context, method, seed)
        return self._losses(slot, run)

    def _losses(self, slot: int, run: _Run) -> Generator[float, None, None]:
        try:
            for _ in range(run.method.epochs):
                if run.loss is None:
                    self._advance()
                assert run.loss is not None
                loss, run.loss = run.loss, None
                yield loss
        finally:
            if self._runs.get(slot) is run:
                del self._runs[slot]

    def _advance(self) -> None:
        """Train an epoch of every run."""
        ahead = [slot for slot, run in self._runs.items() if run.loss is not None]
        if ahead:
            raise InputError(f"runs in step go on together: the loss of slots {ahead} was not asked for")
        losses = self.fused.train_epochs({slot: run.plan() for slot, run in self._runs.items()})
        for slot, loss in losses.items():
            self._runs[slot].end_epoch(loss)

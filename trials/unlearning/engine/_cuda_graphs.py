"""Work on a GPU, recorded once and replayed: one launch for the hundreds of small kernels of a training step.

At 28 x 28 a GPU computes a step faster than Python can ask for it. So the kernels of a step are recorded as a CUDA
graph (``torch.cuda.CUDAGraph``) for each shape of its inputs and replayed on new ones. What the work changes stays in
tensors that keep their place, so a recording outlives epochs and settings.
"""

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import ClassVar
from weakref import WeakSet

import torch
from torch import Tensor

from unlearning.errors import InputError, UnlearningError

Work = Callable[..., Tensor]
"""Computes on tensors of given shapes; returns a tensor, and may change the state."""

KEPT = 16
"""Recordings kept at a time; each holds the memory of its activations."""

WARM_UPS = 3
"""Runs before a recording, in which libraries choose their kernels and take their memory."""

TOLERANCE = 1e-2
"""Largest difference that a replay may have to the same work done kernel by kernel, as a share of the tensor's norm:
kernels that add in no fixed order differ in the last bits, which bfloat16 has few of."""

SWITCH = "UNLEARNING_CUDA_GRAPHS"
"""In the environment of a worker: ``off`` makes it launch kernel by kernel."""


class ReplayError(UnlearningError, RuntimeError):
    """The replay of a CUDA graph differs from the work itself."""


def replays_wanted() -> bool:
    """Return whether the environment allows CUDA graphs.

    Raises:
        ValueError: it says something else than on or off.
    """
    wanted = os.environ.get(SWITCH, "on")
    if wanted not in ("on", "off"):
        raise InputError(f"environment variable {SWITCH}: wanted on or off, got {wanted!r}")
    return wanted == "on"


class Replays:
    """The recordings of one engine.

    Args:
        state: every tensor that some work changes; recording leaves them as they were.
    """

    def __init__(self, state: Sequence[Tensor]) -> None:
        self._state = list(state)
        self._recordings: OrderedDict[Hashable, _Recording] = OrderedDict()

    def add_state(self, tensors: Sequence[Tensor]) -> None:
        """Add tensors that work recorded from now on changes."""
        self._state += tensors

    def run(self, name: Hashable, work: Work, inputs: Sequence[Tensor]) -> Tensor:
        """Do the work on these inputs, from a recording if there is one.

        Args:
            name: of the work and of all that it depends on beside state and inputs' values.

        Returns:
            What the work returns; it holds until the next replay, of whatever work.

        Raises:
            ReplayError: see `ReplayError`.
        """
        key = (name, tuple(one.shape for one in inputs))
        if key not in self._recordings:
            while len(self._recordings) >= KEPT:
                self._recordings.popitem(last=False)
            self._recordings[key] = _Recording(work, inputs, self._state)
        self._recordings.move_to_end(key)
        return self._recordings[key].replay(inputs)


class _Recording:
    """The kernels of some work on inputs of given shapes.

    Its memory is shared with all other recordings of the process: they are replayed one after another, and nothing that
    is kept between two replays lies in it but the result.

    Raises:
        ReplayError: the work cannot be recorded, or its replay gives something else.
    """

    _alive: ClassVar[WeakSet["_Recording"]] = WeakSet()

    def __init__(self, work: Work, inputs: Sequence[Tensor], state: Sequence[Tensor]) -> None:
        self._inputs = [one.clone() for one in inputs]
        before = _copies(state)
        stream = _stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            expected = self._warm_up(work, state, before)
            self._graph, self._result = self._record(work)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph.replay()
        _compare([self._result, *state], expected)
        _put_back(state, before)
        self._alive.add(self)

    def replay(self, inputs: Sequence[Tensor]) -> Tensor:
        """Run the kernels on new inputs."""
        for mine, new in zip(self._inputs, inputs, strict=True):
            mine.copy_(new)
        self._graph.replay()
        return self._result

    def _warm_up(self, work: Work, state: Sequence[Tensor], before: Sequence[Tensor]) -> list[Tensor]:
        """Do the work a few times, and return what it comes to."""
        for _ in range(WARM_UPS):
            _put_back(state, before)
            result = work(*self._inputs)
        expected = _copies([result, *state])
        _put_back(state, before)
        return expected

    def _record(self, work: Work) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Record the work in the memory of a recording that is alive; torch refuses memory that all have left."""
        graph = torch.cuda.CUDAGraph()
        pool = next((other._graph.pool() for other in self._alive), None)
        try:
            with torch.cuda.graph(graph, pool=pool, stream=_stream()):
                result = work(*self._inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._alive.clear()  # their memory still waits for the end of this recording
            said = str(error).partition("\n")[0]
            raise ReplayError(
                f"recording GPU work: {said}. Work that waits for the GPU cannot be recorded; {SWITCH}=off in the "
                "environment of the workers does without"
            ) from error
        return graph, result


@cache
def _stream() -> torch.cuda.Stream:
    """Make the one stream of all recordings: on each stream libraries take memory that they never return."""
    return torch.cuda.Stream()


@torch.no_grad()
def _copies(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [one.clone() for one in tensors]


@torch.no_grad()
def _put_back(state: Sequence[Tensor], before: Sequence[Tensor]) -> None:
    for one, old in zip(state, before, strict=True):
        one.copy_(old)


@torch.no_grad()
def _compare(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        size = float(other.double().norm())
        if not math.isfinite(size):  # a run that diverges at once
            continue
        apart = float((one.double() - other.double()).norm())
        if not apart <= TOLERANCE * size:
            raise ReplayError(
                f"replaying recorded GPU work: tensor {number} of {len(found)}, {tuple(one.shape)}, is {apart:.3g} "
                f"from what the work itself gives, whose norm is {size:.3g}; wanted at most {TOLERANCE:g} of it. "
                f"{SWITCH}=off in the environment of the workers does without"
            )

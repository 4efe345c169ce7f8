"""The searched options of a method as Optuna knows them, and the quasi-random settings that a search starts with."""

from typing import Any

import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from torch.quasirandom import SobolEngine

from lethe.study import Choices, MethodSearch
from unlearning.seeds import derive

Setting = dict[str, Any]
"""The searched options of a trial by name."""


def distributions_of(method_search: MethodSearch) -> dict[str, BaseDistribution]:
    """Return the searched options of a method search as Optuna's distributions, by name."""
    choice = method_search.choice
    return {name: _distribution(dimension, choice.is_whole(name)) for name, dimension in choice.search.items()}


def startup_setting(method_search: MethodSearch, number: int) -> Setting:
    """Return the ``number``-th start-up setting of a method search: a point of a Sobol' sequence, shifted by its seed.

    The point depends on nothing else, and the first 2^k points put one into each 2^k-th of every option's range.
    """
    space = distributions_of(method_search)
    [point] = SobolEngine(len(space)).fast_forward(number).draw(1, dtype=torch.float64)
    return {
        name: _value(distribution, (share + _shift(method_search, name)) % 1.0)
        for (name, distribution), share in zip(space.items(), point.tolist(), strict=True)
    }


def _shift(method_search: MethodSearch, name: str) -> float:
    return derive(method_search.study.seed, "startup", method_search.stream, name) % 2**32 / 2**32


def _value(distribution: BaseDistribution, share: float) -> Any:
    """Return the value that lies this share of the way through a distribution, 0 <= share < 1."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[int(share * len(choices))]
        case FloatDistribution(low=low, high=high, log=log):
            return min(max(_between(low, high, share, log), low), high)
        case IntDistribution(low=low, high=high, log=log):
            return min(max(int(_between(low, high + 1, share, log)), low), high)
    raise TypeError(f"wanted a categorical, float or whole-number distribution, got {distribution}")


def _between(low: float, high: float, share: float, log: bool) -> float:
    return low * (high / low) ** share if log else low + share * (high - low)


def _distribution(dimension: object, whole: bool) -> BaseDistribution:
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.choices)
    low, high, log = dimension.low, dimension.high, dimension.log  # type: ignore[attr-defined]
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)

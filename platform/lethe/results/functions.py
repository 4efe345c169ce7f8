"""The statistics that views call: functions of SQL, each a thin wrapper of a tested one.

t_quantile(n, share)            quantile of Student's t for the mean of n values; null below two
t_pvalue(mean, sd, n)           two-sided p of the mean's being zero; null below two values
seeds_to_decide(mean, sd, n, margin)    how many seeds would decide, if mean and sd are the true ones
energy_test(unlearned, oracles)         energy distance of two lists of vectors, with its permutation p
compare_ensembles(unlearned, oracles)   KLoM, U-LiRA and forgetting quality of two lists of models' confidences
attack_halves(unlearned, originals, oracles, forgotten, units)      what models betray of halves of their own
"""

from collections.abc import Callable
from dataclasses import asdict, fields
from functools import wraps
from threading import Event
from typing import Any, Final, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType
from scipy.special import stdtr, stdtrit

from unlearning.energy import energy_test
from unlearning.ensembles import AttackedHalves, Comparison, attack_halves, compare, margins

Array = np.ndarray[Any, np.dtype[np.float64]]
Answer = TypeVar("Answer")

MOST_SEEDS: Final = 100
"""More seeds than this are not counted: nobody trains them."""

_SEEDS_N: Final = np.arange(3.0, MOST_SEEDS + 1)
_REACH_95_N: Final = stdtrit(_SEEDS_N - 1, 0.975) / np.sqrt(_SEEDS_N)
_REACH_90_N: Final = stdtrit(_SEEDS_N - 1, 0.95) / np.sqrt(_SEEDS_N)


def register(connection: duckdb.DuckDBPyConnection, stopped: Event) -> None:
    """Register the functions with a connection.

    Args:
        stopped: once it is set, the next call of a function that may take long raises, which ends its query. DuckDB
            itself sees an interrupt only between chunks of 2,048 rows, each of which is a call.
    """
    arrow = PythonUDFType.ARROW
    connection.create_function("t_quantile", _t_quantile, ["bigint", "double"], "double", type=arrow)
    connection.create_function("t_pvalue", _t_pvalue, ["double", "double", "bigint"], "double", type=arrow)
    connection.create_function(
        "seeds_to_decide",
        _seeds_to_decide,
        ["double", "double", "bigint", "double"],
        "bigint",
        type=arrow,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    # `duckdb.struct_type` would open a database of its own, with threads.
    energy = connection.struct_type(dict.fromkeys(("distance", "p", "least_p"), "double"))
    connection.create_function("energy_test", _until(stopped, _energy_test), ["double[][]", "double[][]"], energy)
    comparison = connection.struct_type(dict.fromkeys((field.name for field in fields(Comparison)), "double"))
    connection.create_function(
        "compare_ensembles", _until(stopped, _compare_ensembles), ["double[][]", "double[][]"], comparison
    )
    attacked = connection.struct_type(
        {field.name: "bigint" if field.type is int else "double" for field in fields(AttackedHalves)}
    )
    connection.create_function(
        "attack_halves", _until(stopped, _attack_halves), [*["double[][]"] * 3, "boolean[][]", "bigint[]"], attacked
    )


def _until(stopped: Event, function: Callable[..., Answer]) -> Callable[..., Answer]:
    """Make a function raise once its query is stopped."""

    @wraps(function)
    def call(*arguments: Any) -> Answer:
        if stopped.is_set():
            raise InterruptedError("the query was stopped")
        return function(*arguments)

    return call


def seeds_to_decide(mean_R: Array, sd_R: Array, count_R: Array, margin_R: Array) -> Array:
    """Return how many seeds would decide whether an excess lies above zero or below the margin.

    Args:
        mean_R, sd_R: of the excess of R rows over the seeds seen, taken for the true ones; nan where there is none.
        count_R: of these seeds.
        margin_R: of equivalence; nan where none applies.

    Returns:
        For each row the smallest number of seeds, more than there are; nan where `MOST_SEEDS` would not do.
    """
    above_RN = mean_R[:, None] - _REACH_95_N * sd_R[:, None] > 0
    within_RN = mean_R[:, None] + _REACH_90_N * sd_R[:, None] < margin_R[:, None]
    decides_RN = (above_RN | within_RN) & (count_R[:, None] < _SEEDS_N)
    return np.where(decides_RN.any(1), _SEEDS_N[decides_RN.argmax(1)], np.nan)


def _seeds_to_decide(
    means: pa.ChunkedArray, deviations: pa.ChunkedArray, counts: pa.ChunkedArray, margins: pa.ChunkedArray
) -> pa.Array:
    columns = (column.to_numpy().astype(np.float64) for column in (means, deviations, counts, margins))
    return pa.array(seeds_to_decide(*columns), pa.int64(), from_pandas=True)


def _t_quantile(counts: pa.ChunkedArray, shares: pa.ChunkedArray) -> pa.Array:
    n = counts.to_numpy()
    return pa.array(np.where(n > 1, stdtrit(np.maximum(n - 1, 1), shares.to_numpy()), np.nan), from_pandas=True)


def _t_pvalue(means: pa.ChunkedArray, deviations: pa.ChunkedArray, counts: pa.ChunkedArray) -> pa.Array:
    mean, sd, n = (column.to_numpy() for column in (means, deviations, counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(sd > 0, np.abs(mean) / (sd / np.sqrt(n)), np.where(mean == 0, 0.0, np.inf))
    return pa.array(np.where(n > 1, 2 * stdtr(np.maximum(n - 1, 1), -t), np.nan), from_pandas=True)


def _compare_ensembles(unlearned: list[list[float]], oracles: list[list[float]]) -> dict[str, float]:
    return asdict(compare(np.array(unlearned), np.array(oracles)))


def _attack_halves(
    unlearned: list[list[float]],
    originals: list[list[float]],
    oracles: list[list[float]],
    forgotten: list[list[bool]],
    units: list[int],
) -> dict[str, Any]:
    """Attack halves by the margins of units, each the mean over its images, which repeat each other."""
    _, first_U, unit_M, size_U = np.unique(units, return_index=True, return_inverse=True, return_counts=True)

    def of_units(confidence_NM: list[list[float]]) -> Array:
        return np.array([np.bincount(unit_M, one_M) / size_U for one_M in margins(np.array(confidence_NM))])

    halves_NU = np.array(forgotten)[:, first_U]
    found = asdict(attack_halves(of_units(unlearned), of_units(originals), of_units(oracles), halves_NU))
    return {name: None if np.isnan(value) else value for name, value in found.items()}


def _energy_test(unlearned: list[list[float]], oracles: list[list[float]]) -> dict[str, Any]:
    found = energy_test(np.array(unlearned), np.array(oracles))
    return {"distance": found.distance, "p": found.p, "least_p": found.least_p}

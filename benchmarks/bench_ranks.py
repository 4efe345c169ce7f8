"""How often the intervals of ranks hold the true ranks, all of a table together, and how wide they are.

    python benchmarks/bench_ranks.py               # some minutes on two cores

Makes tables of methods whose mean gaps are known, as draws from a distribution, and reads them through the views, as
users read them. Every table has effects of seeds that its methods share. Its methods' true gaps are

    spread      from 1 to 10 points, at even distances
    groups      four groups of equal gaps: 1, 2, 4 and 8 points
    equal       all 3 points, so that every interval must be as wide as the table

and their noise over seeds is

    normal      a standard deviation of a fifth of the gap
    skewed      lognormal of the same mean, with a standard deviation of half of it: heavy tails over seeds

An interval holds a true rank where it holds all ranks that equal gaps share. A table counts as held where all of its
intervals do; at least 95 % are meant to be. ``differs`` is the share of the pairs of unequal methods that the adjusted
verdicts tell apart, ``wrong`` that of the tables with a verdict on equal methods or of the wrong sign.
"""

import argparse
from collections import defaultdict
from typing import Any, Final

import numpy as np
from generated_boards import BOARD, CONFIRMATION, tables_of

from lethe.results import BoardRow, ConfirmationRow

Array = np.ndarray[Any, np.dtype[np.float64]]

CASES: Final = [(methods, seeds) for methods in (5, 20) for seeds in (3, 5, 10)]


def true_gaps(pattern: str, methods: int) -> Array:
    """Return the true mean gaps of a table's methods."""
    match pattern:
        case "spread":
            return np.linspace(0.01, 0.10, methods)
        case "groups":
            return np.array([0.01, 0.02, 0.04, 0.08])[np.arange(methods) * 4 // methods]
        case _:
            return np.full(methods, 0.03)


def drawn_gaps(random: np.random.Generator, gaps_M: Array, seeds: int, noise: str) -> Array:
    """Draw the gaps of methods on seeds, (M, S); a seed moves all methods by up to a tenth of theirs."""
    shared_S = 1 + 0.1 * random.standard_normal(seeds)
    if noise == "normal":
        own_MS = 1 + 0.2 * random.standard_normal((len(gaps_M), seeds))
    else:
        sigma = np.sqrt(np.log(1 + 0.5**2))
        own_MS = random.lognormal(-(sigma**2) / 2, sigma, (len(gaps_M), seeds))
    return np.asarray(gaps_M[:, None] * own_MS * shared_S)


def rows_of(table: str, gaps_MS: Array) -> tuple[list[ConfirmationRow], list[BoardRow]]:
    """Make the rows of a table, a scenario of its own."""
    confirmations, boards = [], []
    for method, gaps_S in enumerate(gaps_MS):
        for seed, gap in enumerate(gaps_S):
            name = f"m{method:02d}"
            shared: dict[str, Any] = {
                "study": "s",
                "scenario": table,
                "row": name,
                "method": name,
                "training_seed": seed,
                "confirmation_id": f"{table}-{method}-{seed}",
            }
            confirmations.append(ConfirmationRow(**shared, **CONFIRMATION, gap=float(gap)))
            boards.append(BoardRow(**shared, **BOARD))
    return confirmations, boards


def held(tables: dict[str, Array], gaps_M: Array) -> tuple[float, float, float, float]:
    """Return the share of tables that are held, the mean width of an interval, and what the verdicts say."""
    rows = [rows_of(name, gaps_MS) for name, gaps_MS in tables.items()]
    database = tables_of(
        [one for some, _ in rows for one in some],
        [one for _, some in rows for one in some],
        ["asked", "compared", "confirmed", "contrasts", "ranks"],
    )
    ranks = database.connection.sql("select scenario, row, rank_low, rank_high from ranks").fetchall()
    pairs = database.connection.sql("select scenario, first, second, verdict from contrasts").fetchall()
    database.connection.close()
    true_low = [1 + int((gaps_M < gap).sum()) for gap in gaps_M]
    true_high = [int((gaps_M <= gap).sum()) for gap in gaps_M]
    good: defaultdict[str, bool] = defaultdict(lambda: True)
    widths = []
    for table, row, low, high in ranks:
        method = int(row[1:])
        good[table] &= low <= true_low[method] and true_high[method] <= high
        widths.append(high - low + 1)
    wrong, unequal, found = set(), 0, 0
    for table, first, second, verdict in pairs:
        apart = np.sign(gaps_M[int(first[1:])] - gaps_M[int(second[1:])])
        says = {"closer": -1, "farther": 1}.get(verdict, 0)
        unequal += apart != 0
        found += apart != 0 and says == apart
        if says not in (0, apart):
            wrong.add(table)
    return (
        sum(good.values()) / len(tables),
        float(np.mean(widths)),
        found / unequal if unequal else float("nan"),
        len(wrong) / len(tables),
    )


def main(count: int) -> None:
    print(f"{count} tables each")
    print(f"{'gaps':<9}{'noise':<9}{'methods':>8}{'seeds':>7}{'held':>8}{'width':>8}{'differs':>9}{'wrong':>8}")
    for pattern in ("spread", "groups", "equal"):
        for noise in ("normal", "skewed"):
            for methods, seeds in CASES:
                random = np.random.default_rng([methods, seeds])
                gaps_M = true_gaps(pattern, methods)
                tables = {f"q{one}": drawn_gaps(random, gaps_M, seeds, noise) for one in range(count)}
                share, width, differs, wrong = held(tables, gaps_M)
                print(
                    f"{pattern:<9}{noise:<9}{methods:>8}{seeds:>7}{share:>8.3f}{width:>8.1f}{differs:>9.2f}{wrong:>8.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", dest="count", type=int, default=500)
    main(**vars(parser.parse_args()))

"""How often the table's verdicts are wrong, with 3, 5 and 10 reporting seeds.

    python benchmarks/bench_verdicts.py                     # trains the pool first: about four minutes on two cores
    python benchmarks/bench_verdicts.py --pool pool.json    # keeps the pool's measures, and finds them there again

Trains originals and oracles of the default generated images with a CNN of width 8, one pair a seed, and measures them
as a confirmation does. Tables are then made of draws without replacement from this pool: S reporting seeds and one
tuning seed, and rows whose distance from retraining is known. Every table is read through the views, as users read it.

    perfect     oracles of other seeds, under another name
    at margin   the measures of such oracles, moved towards doing nothing until the excess over the floor is the margin
    halfway     moved half of the way to doing nothing
    original    doing nothing: the original of the same seed
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from generated_boards import BOARD, CONFIRMATION, tables_of

from lethe.results import BoardRow, ConfirmationRow
from unlearning.data import ImageData, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import RandomShare, select
from unlearning.evaluation import Evaluator
from unlearning.metrics import METRICS
from unlearning.models import CNN
from unlearning.schedules import OneCycle
from unlearning.seeds import derive
from unlearning.training import Recipe, Training

Array = np.ndarray[Any, np.dtype[np.float64]]

MEASURES: Final = ("ua", "ra", "ta", "mia")
RECIPE: Final = Recipe(epochs=20, batch_size=64, lr=0.1, schedule=OneCycle())
POOL: Final = 24
MARGIN: Final = 0.01
SEEDS: Final = (3, 5, 10)
ROWS: Final = ("perfect", "at margin", "halfway", "original")


def measure_seed(seed: int) -> dict[str, list[float]]:
    """Train the original and the oracle of one seed; return their UA, RA, TA and MIA."""
    torch.set_num_threads(1)
    data = load(Synthetic())
    request = RandomShare(fraction=0.1)
    forget = select(request, data, derive(0, "forget"))
    evaluator = Evaluator(data, forget, derive(0, "unlearning", seed))
    everything = torch.arange(len(data.train))
    trained = {"original": everything, "oracle": everything[forget.retain_R]}
    return {name: _measured(data, evaluator, indices, seed) for name, indices in trained.items()}


def _measured(data: ImageData, evaluator: Evaluator, indices_M: torch.Tensor, seed: int) -> list[float]:
    training = Training(
        CNN(width=8).build(data.train.images_NCHW.shape[1], data.classes, seed=derive(0, "training", seed)),
        data.train.images_NCHW,
        data.train.labels_N,
        indices_M,
        recipe=RECIPE,
        augmentation=AUGMENTATIONS["none"],
        seed=derive(0, "training", seed),
    )
    for _ in range(RECIPE.epochs):
        training.advance()
    splits = {"train": data.train, "val": data.val, "test": data.test}
    logits: Any = {name: training.engine.predict(split.images_NCHW) for name, split in splits.items()}
    evaluation = evaluator.evaluation(logits)
    return [METRICS[name].overall(evaluation) for name in MEASURES]


def artifacts(path: Path | None) -> dict[str, Array]:
    """Return the measures of originals and oracles, (POOL, 4) each; trained unless a file has them."""
    if path is None or not path.exists():
        with ProcessPoolExecutor(2) as workers:
            measured = list(workers.map(measure_seed, range(POOL)))
        if path is None:
            return _stacked(measured)
        path.write_text(json.dumps(measured))
    return _stacked(json.loads(path.read_text()))


def _stacked(measured: Sequence[Mapping[str, list[float]]]) -> dict[str, Array]:
    return {name: np.array([one[name] for one in measured]) for name in ("original", "oracle")}


def gap(first_SM: Array, second_TM: Array) -> Array:
    """Return the gap of each model of the first group to each of the second, (S, T)."""
    return np.asarray(np.abs(first_SM[:, None] - second_TM[None]).mean(-1))


def excess_of(models_NM: Array, oracles_NM: Array) -> float:
    """Return how much farther models are from the oracles of other seeds than these are from each other."""
    others = ~np.eye(len(oracles_NM), dtype=bool)
    return float(gap(models_NM, oracles_NM)[others].mean() - gap(oracles_NM, oracles_NM)[others].mean())


def share_at_margin(originals_NM: Array, oracles_NM: Array) -> float:
    """Return how far towards doing nothing, 0 to 1, oracles must be moved for an excess of the margin."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        moved_NM = np.roll(oracles_NM, 1, axis=0) + middle * (originals_NM - oracles_NM).mean(0)
        low, high = (middle, high) if excess_of(moved_NM, oracles_NM) < MARGIN else (low, middle)
    return low


def tables(measures: Mapping[str, Array], seeds: int, count: int) -> Iterator[ConfirmationRow | BoardRow]:
    """Draw so many tables, each a scenario of its own."""
    random = np.random.default_rng(seeds)
    originals, oracles = measures["original"], measures["oracle"]
    towards_M = (originals - oracles).mean(0)
    share = share_at_margin(originals, oracles)
    for table in range(count):
        drawn = random.permutation(POOL)
        own, other = drawn[: seeds + 1], drawn[seeds + 1 : 2 * seeds + 1]
        perfect = oracles[other]
        rows = {
            "perfect": perfect,
            "at margin": perfect + share * towards_M,
            "halfway": perfect + 0.5 * towards_M,
            "original": originals[own[:seeds]],
            "oracle": oracles[own],
        }
        for row, models in rows.items():
            for seed, (model, oracle) in enumerate(zip(models, oracles[own], strict=False)):
                yield from _model(f"q{table}", row, seed, model, oracle, "reporting" if seed < seeds else "tuning")


def _model(
    scenario: str, row: str, seed: int, model_M: Array, oracle_M: Array, role: str
) -> Iterator[ConfirmationRow | BoardRow]:
    name = f"{scenario}-{row}-{seed}"
    shared: dict[str, Any] = {"study": "s", "scenario": scenario, "row": row, "method": row, "training_seed": seed}
    measured: dict[str, Any] = dict(zip(MEASURES, map(float, model_M), strict=True))
    yield ConfirmationRow(
        **shared,
        **CONFIRMATION,
        **measured,
        gap=float(np.abs(model_M - oracle_M).mean()),
        confirmation_id=name,
    )
    yield BoardRow(
        **shared,
        **{**BOARD, "margin": MARGIN, "role": role},
        confirmation_id=name,
    )


def verdicts(rows: Sequence[ConfirmationRow | BoardRow]) -> dict[str, list[tuple[str, str]]]:
    """Read the tables through the views; return row and verdict of every line, by view."""
    found = {}
    database = tables_of(
        [row for row in rows if isinstance(row, ConfirmationRow)],
        [row for row in rows if isinstance(row, BoardRow)],
        ["asked", "compared", "confirmed", "leaderboard", "joint_tests"],
    )
    for view in ("leaderboard", "joint_tests"):
        answer = database.connection.sql(f"select row, verdict from {view} where row <> 'oracle'").fetchall()
        found[view] = [(row, verdict) for row, verdict in answer]
    database.connection.close()
    return found


def main(count: int, path: Path | None) -> None:
    measures = artifacts(path)
    floor = gap(measures["oracle"], measures["oracle"])[~np.eye(POOL, dtype=bool)].mean()
    nothing = np.diag(gap(measures["original"], measures["oracle"])).mean()
    print(f"{POOL} seeds: noise floor {100 * floor:.2f} points, gap of doing nothing {100 * nothing:.2f}")
    print(f"{count} tables each; margin {100 * MARGIN:.0f} point; share of the tables in which a row is called so\n")
    heads = ("above the floor", "equivalent", "inconclusive", "joint test: differs")
    print(f"{'seeds':<7}{'row':<12}" + "".join(f"{head:>21}" for head in heads))
    for seeds in SEEDS:
        found = verdicts(list(tables(measures, seeds, count)))
        states, joint = Counter(found["leaderboard"]), Counter(found["joint_tests"])
        for row in ROWS:
            counts = [states[row, head] for head in heads[:3]] + [joint[row, "differs"]]
            print(f"{seeds:<7}{row:<12}" + "".join(f"{one / count:>21.3f}" for one in counts))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", dest="count", type=int, default=1000)
    parser.add_argument("--pool", dest="path", type=Path, help="where the pool's measures are kept, as JSON")
    main(**vars(parser.parse_args()))

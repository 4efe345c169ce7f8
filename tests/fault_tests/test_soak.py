"""Many kills over one long study: of those who train, try and confirm, and of the run itself.

`make soak` kills two hundred times, which takes a quarter of an hour; `make test` six times.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = int(os.environ.get("LETHE_SOAK_KILLS", "6"))
CONFIRMERS = min(5, KILLS // 5)
TRAINERS = KILLS // 3
"""Kills of those who train, at most: these are there first, and would be all that is killed."""

TRIALS = max(15, 3 * KILLS // 4)
RUN_EVERY = min(20, KILLS // 2)
"""One kill in so many is of the run itself, which is then started again."""

METHOD = {
    "name": "salun",
    "epochs": 2,
    "batch_size": 8,
    "search": {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}, "density": {"low": 0.1, "high": 0.9}},
}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_kills_change_no_number(
    start: Callable[..., Any], write_study: Callable[..., Path], undisturbed: Callable[..., Any], results: Any
) -> None:
    """A kill comes after one to three more trials, models, checkpoints or confirmations: all of it has time to end."""
    study = write_study(
        forget=[{"kind": "random", "fraction": 0.2}, {"kind": "random", "fraction": 0.4}],
        training={"epochs": 20, "batch_size": 4, "lr": 0.01},
        methods=[METHOD],
        search={"trials": TRIALS, "window": 4},
    )
    expected = undisturbed(study)
    dice = random.Random(0)
    kills: Counter[str] = Counter()
    done: set[object] = set()
    run = start(study)

    def more_than(count: int) -> bool:
        done.update(results.parts(), results.weights(), results.epochs_of_checkpoints().items())
        return len(done) > count

    def wait_for_more(pieces: int) -> None:
        goal = len(done) + pieces
        run.wait_until(lambda: more_than(goal), f"more is done, after {kills.total()} kills", look_s=0.1)

    def kill_one_of(victims: set[int], what: str) -> None:
        if victims and run.machine.send(dice.choice(sorted(victims))):
            kills[what] += 1

    while kills.total() < KILLS - CONFIRMERS:
        wait_for_more(dice.randint(0, 2))
        if kills.total() % RUN_EVERY == RUN_EVERY - 1:
            run.kill()
            run.code()
            kills["run"] += 1
            run = start(study)
        elif kills["trainer"] < TRAINERS and run.machine.hosts() and dice.randrange(2):
            kill_one_of(run.machine.hosts(), "trainer")
        else:
            kill_one_of(run.machine.trial_workers(), "trial worker")
    run.wait_until(lambda: results.confirmed_count, "the first confirmation is there")
    while kills.total() < KILLS:
        wait_for_more(1)
        kill_one_of(run.machine.hosts(), "confirmer")
    run.complete()
    assert set(kills) == {"run", "trainer", "trial worker", "confirmer"}
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed
    assert results.weights() == expected.weights()
    [row] = results.ask("select count(*) n, count(distinct trial_id) ids, sum(losses) losses from trials")
    assert (row["n"], row["ids"]) == (2 * TRIALS, 2 * TRIALS)
    assert row["losses"] > 0
    assert not {"Traceback", "died"} & set(re.findall(r"\w+", run.said))

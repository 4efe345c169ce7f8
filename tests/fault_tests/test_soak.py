"""Two hundred kills over one long study: of those who train, try and confirm, and of the run itself."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KILLS = 200
TRIALS = 250
RUN_EVERY = 30
"""One kill in so many is of the run itself, which is then started again."""

METHOD = {
    "name": "salun",
    "epochs": 2,
    "batch_size": 8,
    "search": {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}, "density": {"low": 0.1, "high": 0.9}},
}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_change_no_number(
    start: Callable[..., Any], write_study: Callable[..., Path], undisturbed: Callable[..., Any], results: Any
) -> None:
    """A kill comes after one to three more trials, models or confirmations: what is slow is not killed for ever."""
    study = write_study(
        forget=[{"kind": "random", "fraction": 0.2}, {"kind": "random", "fraction": 0.4}],
        training={"epochs": 20, "batch_size": 4, "lr": 0.01},
        methods=[METHOD],
        search={"trials": TRIALS, "window": 4},
    )
    expected = undisturbed(study)
    dice = random.Random(0)
    kills: Counter[str] = Counter()
    run = start(study)

    def progress() -> int:
        return int(
            results.ended
            + len(results.weights())
            + results.confirmed_count
            + sum(results.epochs_of_checkpoints().values())
        )

    while kills.total() < KILLS:
        goal = progress() + dice.randint(1, 3)
        run.wait_until(lambda goal=goal: progress() >= goal, f"something is done after {kills.total()} kills")
        if dice.randrange(RUN_EVERY) == 0:
            run.kill()
            run.code()
            kills["run"] += 1
            run = start(study)
            continue
        kind = dice.choice([run.machine.trial_workers, run.machine.hosts])
        victims = sorted(kind() or run.machine.trial_workers() | run.machine.hosts())
        if victims and run.machine.send(dice.choice(victims)):
            kills[kind.__name__] += 1
    run.complete()
    assert min(kills.values()) > 0
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed
    assert results.weights() == expected.weights()
    [row] = results.ask("select count(*) n, count(distinct trial_id) ids, sum(losses) losses from trials")
    assert (row["n"], row["ids"]) == (2 * TRIALS, 2 * TRIALS)
    assert row["losses"] > 0

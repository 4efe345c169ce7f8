"""Ctrl-C, once and twice, and SIGTERM, while models train and while trials run: on Ray and in one process."""

import signal
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
Undisturbed = Callable[..., Any]
WriteStudy = Callable[..., Path]

CTRL_C = methodcaller("interrupt")
SIGTERM = methodcaller("terminate")

ONE_WORKER = {"workers": 1}
TRIALS = 16
METHOD = {"name": "salun", "epochs": 2, "batch_size": 2, "search": {"density": {"low": 0.1, "high": 0.9}}}
STOPPING = "Stopping: running epochs finish first. Once more stops at once."
GOES_ON = "Interrupted. What had finished is kept; the same command goes on from here."


def test_sigterm_in_a_training_keeps_the_epoch_that_it_was_in(
    start: Start, write_study: WriteStudy, results: Any, calm_results: Any
) -> None:
    """Of itself a training leaves its first checkpoint after five epochs, and here it has four."""
    study = write_study(
        data=[{"source": "synthetic", "train": 800, "val": 80, "test": 80, "size": 12, "classes": 3}],
        training={"epochs": 4, "batch_size": 2, "lr": 0.01},
        search={"trials": 1},
        resources=ONE_WORKER,
    )
    run = start(study)
    [trainer] = run.wait_until(
        lambda: run.machine.workers("WorkerActor.go_on"), "a training has made an epoch", look_s=0.02
    )
    assert run.machine.send(trainer, signal.SIGSTOP)
    run.terminate()
    run.wait_until(lambda: STOPPING in run.said, "it says that it stops")
    assert run.machine.send(trainer, signal.SIGCONT)
    assert run.code() == 130, run.said
    assert GOES_ON in run.said
    assert "Traceback" not in run.said
    assert not run.machine.workers()
    [(stopped, epoch)] = results.epochs_of_checkpoints().items()
    assert 1 <= epoch < 4
    for place in (results, calm_results):
        place.make_here(study, lambda needed: needed.recipe.fingerprint == stopped)
    assert list(results.weights()) == [stopped]
    assert results.weights() == calm_results.weights()
    assert not results.epochs_of_checkpoints()


@pytest.mark.parametrize(
    ("where", "stop"),
    [((), CTRL_C), (("--local",), SIGTERM)],
    ids=["Ctrl-C, ray", "SIGTERM, local"],
)
def test_a_search_that_is_stopped_ends_no_trial_before_its_time_and_continues_to_the_same_numbers(
    start: Start,
    write_study: WriteStudy,
    undisturbed: Undisturbed,
    results: Any,
    where: tuple[str, ...],
    stop: Callable[[Any], None],
) -> None:
    study = write_study(methods=[METHOD], search={"trials": TRIALS, "window": 3}, resources=ONE_WORKER)
    expected = undisturbed(study)
    expected.lend_pool(results)
    run = start(study, *where)
    run.wait_until(lambda: results.ended >= 2, "two trials end")
    stop(run)
    assert run.code() == 130, run.said
    assert STOPPING in run.said
    assert GOES_ON in run.said
    assert "Traceback" not in run.said
    found = results.numbers
    assert 2 <= len(found) < TRIALS
    assert all(row in expected.numbers for row in found)
    assert not run.machine.workers()
    results.run_here(study)
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed


@pytest.mark.parametrize("where", [(), ("--local",)], ids=["ray", "local"])
def test_ctrl_c_twice_waits_for_no_epoch(
    start: Start, write_study: WriteStudy, results: Any, where: tuple[str, ...]
) -> None:
    """The one epoch of a trial has thousands of steps, and would have ended it."""
    study = write_study(
        data=[{"source": "synthetic", "train": 16000, "val": 80, "test": 80, "size": 12, "classes": 3}],
        training={"epochs": 1, "batch_size": 256, "lr": 0.01},
        methods=[METHOD | {"epochs": 1}],
        search={"trials": 2},
        resources=ONE_WORKER,
    )
    results.make_here(study)
    run = start(study, *where)
    if where:
        run.wait_until(lambda: "· confirmed 0/" in run.said, "the search begins")
        worker = run.pid
    else:
        worker = min(run.wait_until(run.machine.trial_workers, "a trial worker comes"))
    begun = run.machine.computed_s(worker)
    run.wait_until(lambda: run.machine.computed_s(worker) > begun + 2, "its trial is on the way")
    run.interrupt()
    run.wait_until(lambda: STOPPING in run.said, "it says that it stops")
    run.interrupt()
    assert run.code() == 130, run.said
    assert GOES_ON in run.said
    assert "Traceback" not in run.said
    assert results.ended == 0
    assert not run.machine.workers()

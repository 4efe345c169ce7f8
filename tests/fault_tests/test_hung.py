"""Worker processes of a real study that are frozen."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_a_frozen_trainer_and_a_frozen_trial_worker_are_replaced_on_a_cluster_of_one_slot_and_it_is_reported(
    start: Callable[..., Any], write_study: Callable[..., Path], undisturbed: Callable[..., Any], results: Any
) -> None:
    """The trials of one search take the slot of the dead trainer, and give it back for the training of the other."""
    study = write_study(
        forget=[{"kind": "random", "fraction": 0.2}, {"kind": "random", "fraction": 0.4}],
        training={"epochs": 8, "batch_size": 2, "lr": 0.01},
        methods=[{"name": "salun", "epochs": 2, "batch_size": 2, "search": {"density": {"low": 0.1, "high": 0.9}}}],
        search={"trials": 5, "window": 2},
        resources={"hung_after_s": 10},
    )
    expected = undisturbed(study)
    expected.lend_pool(results, but="kind = 'oracle' and forget like '%40%' and training_seed = 0")
    run = start(study, RAY_OVERRIDE_RESOURCES=json.dumps({"CPU": 1}))

    def training() -> set[int]:
        return run.machine.workers("WorkerActor.begin") | run.machine.workers("WorkerActor.go_on")

    run.wait_until(run.machine.hosts, "a trainer starts")
    [trainer] = run.wait_until(training, "a training begins", look_s=0.02)
    assert run.machine.send(trainer, signal.SIGSTOP)
    run.wait_until(lambda: results.ended >= 1, "a trial ends in the slot of the frozen trainer")
    assert len(run.machine.freeze()) == 1
    run.complete()
    assert run.said.count("made no progress for 10 s (resources.hung_after_s)") == 2
    assert results.numbers == expected.numbers
    assert results.weights() == expected.weights()

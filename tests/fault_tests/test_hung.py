"""Worker processes of a real study that are frozen."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_a_frozen_trainer_and_a_frozen_trial_worker_are_replaced_and_it_is_told(
    start: Callable[..., Any], write_study: Callable[..., Path], undisturbed: Callable[..., Any], results: Any
) -> None:
    study = write_study(
        training={"epochs": 20, "batch_size": 2, "lr": 0.01},
        methods=[{"name": "salun", "epochs": 2, "batch_size": 1, "search": {"density": {"low": 0.1, "high": 0.9}}}],
        search={"trials": 14, "window": 3},
        resources={"hung_after_s": 10, "workers": 1},
    )
    expected = undisturbed(study)
    expected.lend_pool(results, but="kind = 'oracle' and training_seed = 0")
    run = start(study)
    run.wait_until(results.epochs_of_checkpoints, "a checkpoint")
    [trainer] = run.wait_until(lambda: run.machine.workers("WorkerActor."), "the next step of the training")
    assert run.machine.send(trainer, signal.SIGSTOP)
    run.wait_until(lambda: results.ended >= 2, "two trials end")
    worker = min(run.machine.trial_workers())
    assert run.machine.send(worker, signal.SIGSTOP)
    run.complete()
    assert run.said.count("made no progress for 10 s (resources.hung_after_s)") == 2
    assert results.numbers == expected.numbers
    assert results.weights() == expected.weights()

"""Nodes that come and go while a study runs on them: each a raylet of its own, lost by killing it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
Undisturbed = Callable[..., Any]
WriteStudy = Callable[..., Path]

METHOD = {"name": "salun", "epochs": 2, "batch_size": 1, "search": {"density": {"low": 0.1, "high": 0.9}}}


def workers_of_trials(results: Any) -> set[int]:
    """Name the processes that have ended a trial."""
    return {int(row["worker"].rpartition(":")[2]) for row in results.ask("select distinct worker from trials")}


LOSE_A_NODE = """
import os, signal, sys
import ray
from lethe.execution.connect import connect
from lethe.execution.failures import failure_of

class Worker:
    def raylet(self):
        return os.getppid()

    def sleep(self):
        import time
        time.sleep(3600)

with connect(sys.argv[1]):
    worker = ray.remote(num_cpus=1)(Worker).remote()
    os.kill(ray.get(worker.raylet.remote()), signal.SIGKILL)
    try:
        ray.get(worker.sleep.remote())
    except ray.exceptions.RayError as error:
        print(type(error).__name__, failure_of(error))
"""


def test_the_loss_of_a_node_is_distinguished_from_that_of_a_worker(nodes: Any) -> None:
    nodes.add()
    assert nodes.ask(LOSE_A_NODE).split()[-1] == "node"


@pytest.mark.slow
def test_trials_follow_the_nodes_that_come_and_go(
    start: Start, nodes: Any, write_study: WriteStudy, undisturbed: Undisturbed, results: Any
) -> None:
    """A node comes, the first is lost; then all are, and a while later there is another."""
    study = write_study(methods=[METHOD], search={"trials": 40, "window": 3})
    expected = undisturbed(study)
    expected.lend_pool(results)
    first = nodes.add()
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    run.wait_until(lambda: results.ended >= 2, "two trials end")
    second = nodes.add()
    at_second = set[int]()

    def second_is_used() -> bool:
        at_second.update(nodes.machine.workers("Trainable", raylet=second))
        return bool(at_second & workers_of_trials(results))

    run.wait_until(second_is_used, "the second node ends a trial")
    nodes.machine.send(first)
    before = results.ended
    run.wait_until(lambda: results.ended >= before + 3, "trials end on the second node alone")
    nodes.machine.send(second)
    run.wait_until(lambda: not nodes.machine.trial_workers(), "no worker is left")
    assert results.ended < 40
    nodes.add()
    run.complete()
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed
    [row] = results.ask("select sum(losses) losses from trials")
    assert row["losses"] >= 2
    assert "Traceback" not in run.said


@pytest.mark.slow
def test_trainings_of_a_lost_node_go_on_from_their_checkpoints_on_another(
    start: Start, nodes: Any, write_study: WriteStudy, undisturbed: Undisturbed, results: Any
) -> None:
    """Two trainings run, one a node; begun anew, one would write the checkpoint of its fifth epoch again."""
    study = write_study(training={"epochs": 25, "batch_size": 1, "lr": 0.01}, search={"trials": 1})
    expected = undisturbed(study)
    missing = expected.lend_pool(results, but="training_seed = 0 and kind <> 'saliency'")
    lost = nodes.add()
    nodes.add()
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    seen: list[dict[str, int]] = []

    def both_are_on_their_way() -> bool:
        seen.append(results.epochs_of_checkpoints())
        return len(seen[-1]) == 2

    run.wait_until(both_are_on_their_way, "both trainings have a checkpoint")
    nodes.machine.send(lost)
    run.watch(both_are_on_their_way)
    run.complete()
    for fingerprint in missing:
        epochs = [checkpoints[fingerprint] for checkpoints in seen if fingerprint in checkpoints]
        assert epochs == sorted(epochs)
    assert results.weights() == expected.weights()
    assert results.numbers == expected.numbers


@pytest.mark.slow
def test_a_run_that_dies_together_with_a_node_is_continued_by_the_same_command_elsewhere(
    start: Start, nodes: Any, write_study: WriteStudy, undisturbed: Undisturbed, results: Any
) -> None:
    study = write_study(methods=[METHOD], search={"trials": 12, "window": 3})
    expected = undisturbed(study)
    expected.lend_pool(results)
    lost = nodes.add()
    nodes.add()
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    run.wait_until(lambda: results.ended >= 3, "three trials end")
    run.kill()
    nodes.machine.send(lost)
    run.code()
    ended = results.ask("select trial_id, ended_at from trials")
    assert 3 <= len(ended) < 12
    start(study, "--address", nodes.address, machine=nodes.machine).complete()
    again = results.ask("select trial_id, ended_at from trials")
    assert all(row in again for row in ended), "a trial that had ended was run again"
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed

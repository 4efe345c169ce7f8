"""Nodes that come and go while a study runs on them: each a raylet of its own, lost by killing it.

Worker processes that are killed, too: what they did is done again, once, and no number changes.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
from forked_lethe import ForkedLethe

from lethe.execution.claims import LocalClaims
from lethe.execution.failures import failure_of

Start = Callable[..., Any]
Undisturbed = Callable[..., Any]
WriteStudy = Callable[..., Path]

METHOD = {"name": "salun", "epochs": 2, "batch_size": 2, "search": {"density": {"low": 0.1, "high": 0.9}}}


def test_the_loss_of_a_node_is_distinguished_from_that_of_a_worker(nodes: Any) -> None:
    class Worker:
        def sleep(self) -> None:
            time.sleep(3600)

    node = nodes.add()
    with nodes.joined():
        worker = ray.remote(num_cpus=1)(Worker).remote()
        ray.get(worker.__ray_ready__.remote())
        nodes.lose(node)
        with pytest.raises(ray.exceptions.RayError) as raised:
            ray.get(worker.sleep.remote())
    assert failure_of(raised.value) == "node"


def keep_claims_that_never_lapse() -> None:
    """Have the cluster keep its table of claims by a clock that stands still."""
    kept = {"name": "lethe-claims", "namespace": "lethe", "lifetime": "detached", "num_cpus": 0, "max_restarts": -1}
    claims = ray.remote(LocalClaims).options(**kept).remote(lambda: 0.0)
    ray.get(claims.claim.remote("one", "nobody"))


@pytest.mark.slow
def test_a_training_goes_on_from_its_checkpoint_when_its_process_is_killed_and_when_its_node_is_lost(
    start: Start, nodes: Any, write_study: WriteStudy, results: Any, calm_results: Any
) -> None:
    """A training begun anew would write the checkpoint of its fifth epoch again; one that waits for the dead, never."""
    study = write_study(training={"epochs": 40, "batch_size": 2, "lr": 0.01})
    with nodes.joined():
        keep_claims_that_never_lapse()
    first = nodes.add()
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    seen: list[dict[str, int]] = []

    def reached(epoch: int) -> set[str]:
        seen.append(results.epochs_of_checkpoints())
        return {fingerprint for fingerprint, found in seen[-1].items() if found >= epoch}

    [training] = run.wait_until(lambda: reached(5), "the checkpoint of epoch 5 is there")
    assert run.machine.kill_all(run.machine.hosts())
    run.wait_until(lambda: reached(15), "the checkpoint of epoch 15 is there, after its process was killed")
    nodes.lose(first)
    nodes.add()
    run.wait_until(
        lambda: reached(0) and training in results.weights(), "the training has ended, after its node was lost"
    )
    epochs = [checkpoints[training] for checkpoints in seen if training in checkpoints]
    assert epochs == sorted(epochs)
    assert results.was_continued(training)
    calm_results.make_here(study, lambda needed: needed.recipe.fingerprint == training)
    assert results.weights()[training] == calm_results.weights()[training]


@pytest.mark.slow
def test_a_search_follows_the_nodes_that_come_and_go_and_is_continued_after_the_loss_of_node_and_driver(
    start: Start, nodes: Any, write_study: WriteStudy, undisturbed: Undisturbed, results: Any
) -> None:
    """A node comes, the first is lost; then all are, and there is another; that one is lost together with the driver.

    Workers are frozen before their node is lost, so that it takes a trial along.
    """
    trials = 20
    study = write_study(methods=[METHOD], search={"trials": trials, "window": 3})
    expected = undisturbed(study)
    expected.lend_pool(results)
    first = nodes.add()
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    run.wait_until(lambda: results.ended >= 2, "two trials end")
    frozen = nodes.machine.freeze(first)
    second = nodes.add()
    at_second = set[int]()

    def losses() -> int:
        return sum(row["losses"] for row in results.ask("select losses from trials"))

    def second_is_used() -> bool:
        at_second.update(nodes.machine.workers("Trainable", raylet=second))
        return bool(at_second & results.workers_of_trials())

    run.wait_until(second_is_used, "the second node ends a trial")
    nodes.lose(first, frozen)
    run.wait_until(lambda: losses() >= 1, "the second node ends the trial that the first has lost")
    nodes.lose(second, nodes.machine.freeze(second))
    run.wait_until(lambda: not nodes.machine.trial_workers(), "no worker is left")
    before = results.ended
    assert before < trials
    third = nodes.add()
    run.wait_until(lambda: losses() >= 2, "the third node ends the trial that the second has lost")
    run.kill()
    nodes.lose(third)
    run.code()
    assert "Traceback" not in run.said
    ended = results.ask("select trial_id, ended_at from trials")
    assert before < len(ended) < trials
    nodes.add()
    start(study, "--address", nodes.address, machine=nodes.machine).complete()
    again = results.ask("select trial_id, ended_at from trials")
    assert all(row in again for row in ended), "a trial that had ended was run again"
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed


@pytest.mark.slow
def test_a_delivery_is_made_on_the_cluster_and_goes_on_when_its_worker_is_killed(
    nodes: Any, write_study: WriteStudy, results: Any, fork: type[ForkedLethe], tmp_path: Path
) -> None:
    method = {"name": "fine_tune", "epochs": 30, "batch_size": 2, "lr": 1.0e-3}
    results.run_here(write_study(methods=[method], training={"epochs": 1, "batch_size": 32, "lr": 0.1}))
    nodes.add()
    words = ["deliver", "--study", "tiny", "--results", str(results.folder), "--out", str(tmp_path / "out")]
    with fork([*words, "--address", nodes.address], os.environ | nodes.environment) as process:
        while not (killed := nodes.machine.hosts()):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.2)
        assert nodes.machine.kill_all(killed)
        said, _ = process.communicate(480)
    assert f"Delivered: {tmp_path / 'out'}" in said
    [row] = results.ask("select worker from confirmations where role = 'production'")
    pid = int(row["worker"].rpartition(":")[2])
    assert pid not in {process.pid, *killed}

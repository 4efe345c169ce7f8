"""Worker processes of real studies that are killed: what they did is done again, once, and no number changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
Undisturbed = Callable[..., Any]
WriteStudy = Callable[..., Path]


CLAIMS_THAT_NEVER_LAPSE = """
import sys
import ray
from lethe.execution.connect import connect
from lethe.execution.claims import LocalClaims

with connect(sys.argv[1]):
    kept = {"name": "lethe-claims", "namespace": "lethe", "lifetime": "detached", "num_cpus": 0}
    claims = ray.remote(LocalClaims).options(**kept).remote(lambda: 0.0)
    ray.get(claims.claim.remote("one", "nobody"))
"""


def test_a_killed_training_goes_on_from_its_checkpoint_to_the_same_weights(
    start: Start, nodes: Any, write_study: WriteStudy, undisturbed: Undisturbed, results: Any
) -> None:
    """A training begun anew would write the checkpoint of its fifth epoch again; one that waits for the dead, never."""
    study = write_study(training={"epochs": 25, "batch_size": 2, "lr": 0.01}, search={"trials": 1})
    expected = undisturbed(study)
    missing = expected.lend_pool(results, but="training_seed = 0 and kind <> 'saliency'")
    assert len(missing) == 2
    nodes.add()
    nodes.ask(CLAIMS_THAT_NEVER_LAPSE)
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    seen: list[dict[str, int]] = []

    def reached(epoch: int) -> bool:
        seen.append(results.epochs_of_checkpoints())
        return any(found >= epoch for found in seen[-1].values())

    for epoch in (5, 15):
        run.wait_until(lambda epoch=epoch: reached(epoch), f"the checkpoint of epoch {epoch} is there")
        assert run.machine.kill_all(run.machine.hosts())
    run.watch(lambda: reached(0))
    run.complete()
    for fingerprint in missing:
        epochs = [checkpoints[fingerprint] for checkpoints in seen if fingerprint in checkpoints]
        assert epochs == sorted(epochs)
    assert results.weights() == expected.weights()
    assert results.numbers == expected.numbers
    [row] = results.ask(
        "select count(*) n, max(seconds_train - seconds_total) saved from artifacts where kind <> 'saliency'"
    )
    assert row["n"] == 6
    assert row["saved"] > 0, "no training has more seconds than the process that ended it"


def test_a_cluster_of_one_slot_whose_trainer_dies_while_trials_run_goes_on(
    start: Start, write_study: WriteStudy, undisturbed: Undisturbed, results: Any
) -> None:
    """The trials of one search take the slot of the dead trainer, and give it back for the training of the other."""
    study = write_study(
        forget=[{"kind": "random", "fraction": 0.2}, {"kind": "random", "fraction": 0.4}],
        training={"epochs": 10, "batch_size": 2, "lr": 0.01},
        search={"trials": 4, "window": 2},
    )
    expected = undisturbed(study)
    expected.lend_pool(results, but="kind = 'oracle' and forget like '%40%' and training_seed = 0")
    run = start(study, RAY_OVERRIDE_RESOURCES=json.dumps({"CPU": 1}))
    run.wait_until(lambda: any(epoch >= 5 for epoch in results.epochs_of_checkpoints().values()), "a checkpoint")
    assert run.machine.kill_all(run.machine.hosts())
    run.complete()
    assert results.numbers == expected.numbers
    assert results.weights() == expected.weights()

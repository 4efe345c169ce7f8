"""Workers that run out of the host's memory for real: Ray is told that there is less, and holds them to it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def test_a_search_whose_trials_need_more_than_their_share_goes_on_with_fewer_at_a_time(
    start: Callable[..., Any], write_study: Callable[..., Path], undisturbed: Callable[..., Any], results: Any
) -> None:
    """A trial takes between 420 MB and 650 MB."""
    study = write_study(
        data=[{"source": "synthetic", "train": 1500, "val": 80, "test": 80, "size": 28, "classes": 3}],
        network={"name": "cnn", "width": 16},
        training={"epochs": 1, "batch_size": 50, "lr": 0.01},
        methods=[{"name": "salun", "epochs": 1, "batch_size": 1200, "search": {"density": {"low": 0.1, "high": 0.9}}}],
        search={"trials": 3, "window": 2},
    )
    expected = undisturbed(study)
    expected.lend_pool(results)
    run = start(study, RAY_OVERRIDE_RESOURCES=json.dumps({"CPU": 2, "memory": 800 << 20}))
    run.complete()
    told = "Out of memory in a worker of 1 CPU and 0 GPU: going on with fewer workers, of 2 CPU and 0 GPU each."
    assert " ".join(run.said.split()).count(told) == 1
    assert results.numbers == expected.numbers
    assert results.confirmed == expected.confirmed
    [row] = results.ask("select count(*) n, sum(losses) losses from trials")
    assert row["n"] == 3
    assert row["losses"] >= 1

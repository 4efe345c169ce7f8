"""The one policy for workers that fail: what is begun again, what is given up, what ends the run."""

from collections import Counter
from typing import Any

import pytest
import torch
from ray.exceptions import ActorDiedError, NodeDiedError, OutOfMemoryError, RayTaskError

from lethe.execution.failures import LIMITS, ClusterError, Failure, LostWorkError, failure_of
from lethe.execution.stop import Stop
from lethe.execution.supervision import Supervisor, Watch
from lethe.study import Resources
from unlearning.metrics import MetricError

NODES = [{"CPU": 4.0, "GPU": 1.0}]
DIED = ActorDiedError()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(said: list[str]) -> Any:
    def supervisor(resources: Resources = Resources(cpu=1), hung_after_s: float = 600.0) -> Supervisor:  # noqa: B008
        return Supervisor(resources, lambda: NODES, Watch(Stop(), hung_after_s, said.append))

    return supervisor


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ValueError("x"), "code"),
        (RuntimeError("shapes differ"), "code"),
        (MemoryError(), "memory"),
        (torch.OutOfMemoryError("no text that says so"), "memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory"),
        (RuntimeError("could not create a primitive"), "memory"),
        (RuntimeError("could not create a primitive descriptor for a convolution"), "code"),
        (OutOfMemoryError("killed"), "memory"),
        (MetricError("metric 'own': MemoryError: "), "memory"),
        (MetricError("metric 'own': KeyError: 1"), "code"),
        (DIED, "worker"),
        (NodeDiedError("gone"), "node"),
        (RayTaskError("f", "trace", ValueError("x")), "code"),
        (RayTaskError("f", "trace", MemoryError("x")), "memory"),
    ],
)
def test_errors_are_classified(error: Exception, failure: Failure) -> None:
    assert failure_of(error) == failure


@pytest.mark.parametrize(("error", "limit"), [(DIED, "worker"), (NodeDiedError("gone"), "node")])
def test_work_is_begun_again_until_it_has_lost_too_many_workers(make: Any, error: Exception, limit: Failure) -> None:
    supervisor, losses = make(), Counter[Failure]()
    for _ in range(LIMITS[limit] - 1):
        assert supervisor.work_lost("w", error, supervisor.resources, losses).error is None
    last = supervisor.work_lost("w", error, supervisor.resources, losses)
    assert isinstance(last.error, LostWorkError)
    assert str(last.error).startswith("given up: it lost its ")
    assert losses == {limit: LIMITS[limit]}


def test_work_whose_loss_nobody_explains_is_given_up_without_an_explanation(make: Any) -> None:
    supervisor, losses = make(), Counter[Failure]({"worker": LIMITS["worker"] - 1})
    given_up = supervisor.work_lost("w", None, supervisor.resources, losses).error
    assert str(given_up) == f"given up: it lost its worker process {LIMITS['worker']} times"


def test_what_the_work_raised_itself_is_its_end_at_once(make: Any) -> None:
    own, losses = ValueError("own"), Counter[Failure]()
    supervisor = make()
    loss = supervisor.work_lost("w", RayTaskError("f", "trace", own), supervisor.resources, losses)
    assert (loss.failure, loss.error, losses.total()) == ("code", own, 0)


def test_out_of_memory_asks_for_more_once_for_all_workers_and_ends_with_a_device(make: Any, said: list[str]) -> None:
    supervisor, losses = make(), Counter[Failure]()
    small = supervisor.resources
    for _ in range(2):
        assert supervisor.work_lost("w", MemoryError(), small, losses).error is None
    assert supervisor.resources == Resources(cpu=2)
    assert len(said) == 1
    assert supervisor.work_lost("w", MemoryError(), supervisor.resources, losses).error is None
    assert supervisor.resources == Resources(cpu=4)
    last = supervisor.work_lost("w", MemoryError("all"), supervisor.resources, losses)
    assert (last.failure, str(last.error), losses) == ("memory", "all", {"memory": 3})


def test_workers_that_fail_to_start_end_the_run_unless_one_starts(make: Any) -> None:
    supervisor = make()
    for _ in range(LIMITS["worker"] - 1):
        supervisor.start_failed("w", DIED, supervisor.resources)
    supervisor.worker_started()
    for _ in range(LIMITS["worker"] - 1):
        supervisor.start_failed("w", DIED, supervisor.resources)
    with pytest.raises(ClusterError, match="with 1 CPU and 0 GPU: it lost its worker process 10 times; the last time"):
        supervisor.start_failed("w", DIED, supervisor.resources)


def test_what_making_a_worker_raises_is_raised_as_it_is(make: Any) -> None:
    supervisor = make()
    with pytest.raises(ValueError, match="own"):
        supervisor.start_failed("w", RayTaskError("f", "trace", ValueError("own")), supervisor.resources)


def test_a_worker_is_hung_once_and_its_work_lost_for_that(make: Any, said: list[str]) -> None:
    supervisor, losses = make(hung_after_s=0.0), Counter[Failure]()
    supervisor.begin_step("slow")
    supervisor.begin_step("ended")
    supervisor.end_step("ended")
    assert supervisor.newly_hung() == ["slow"]
    assert supervisor.newly_hung() == []
    assert len(said) == 1
    assert supervisor.work_lost("slow", DIED, supervisor.resources, losses).failure == "hung"
    assert supervisor.work_lost("ended", DIED, supervisor.resources, losses).failure == "worker"
    assert losses == {"hung": 1, "worker": 1}


def test_an_actor_of_a_worker_pool_starts_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys, lethe.execution._worker_actor, lethe.execution.failures; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)

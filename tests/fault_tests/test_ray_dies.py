"""A part of Ray itself dies, while it starts and while a study runs: one sentence, and the same command goes on."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.execution import _own_node as own_node
from lethe.execution import _rehearsal as rehearsal
from lethe.execution._own_node import OwnNode
from lethe.execution.connect import connect
from lethe.execution.failures import ClusterError, ClusterFailedError

Start = Callable[..., Any]
Undisturbed = Callable[..., Any]
WriteStudy = Callable[..., Path]

ONE_WORKER = {"workers": 1}

GOES_ON = "What had finished is kept; the same command goes on from here."


@pytest.mark.parametrize("service", ["gcs_server", "raylet"])
def test_a_service_that_dies_while_ray_starts_is_reported_and_the_start_tried_again(
    machine_here: Any, service: str
) -> None:
    killed: list[int] = []

    def kill_the_first() -> None:
        while not killed:
            killed.extend(pid for pid in machine_here.services(service) if machine_here.send(pid))
            time.sleep(0.01)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    said: list[str] = []
    with OwnNode(said.append) as node:
        assert node.fault() is None
        assert machine_here.services(service).isdisjoint(killed)
        programs = machine_here.programs()
        assert programs >= {"gcs_server", "raylet"}
        assert "dashboard.py" not in programs
    killer.join()
    assert said == [f"Ray did not start on this machine: Ray's {service} died. Trying again (2 of 3)."]
    assert not machine_here.processes()


def test_a_node_that_does_not_come_up_in_time_ends_with_one_error(
    machine_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_node, "START_S", 0.05)
    said: list[str] = []
    with pytest.raises(ClusterFailedError, match=r"in 3 attempts; the last time: it was not up in 0\.05 s"):
        OwnNode(said.append)
    assert len(said) == 2
    assert not machine_here.processes()


def test_ctrl_c_is_heard_while_ray_starts(machine_here: Any) -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        OwnNode(pytest.fail)
    assert not machine_here.processes()


def test_a_folder_whose_path_is_too_long_for_rays_sockets_is_refused_before_ray_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("x" * (103 - len(str(tmp_path)) - 1))))
    with pytest.raises(ClusterError, match=r"TMPDIR is .*x, a path too long for .*; set RAY_TMPDIR to .* such as /tmp"):
        connect().__enter__()


@pytest.mark.slow
@pytest.mark.parametrize("service", ["gcs_server", "raylet"])
def test_a_study_whose_ray_dies_says_so_ends_with_a_code_of_its_own_and_goes_on(
    start: Start, write_study: WriteStudy, results: Any, undisturbed: Undisturbed, service: str
) -> None:
    """The first workers die while Ray starts, which holds nobody up; in the search a service of Ray's dies."""
    study = write_study(search={"trials": 6, "window": 2}, resources=ONE_WORKER)
    expected = undisturbed(study)
    expected.lend_pool(results)
    run = start(study)
    killed: set[int] = set()

    def two_are_killed() -> bool:
        killed.update(pid for pid in run.machine.starting_workers() - killed if run.machine.send(pid))
        return len(killed) >= 2

    run.wait_until(two_are_killed, "two workers that start are killed")
    run.wait_until(lambda: results.ended >= 1, "a trial ends")
    [pid] = run.machine.services(service)
    run.machine.send(pid)
    assert run.code() == 3, run.said
    assert f"The Ray cluster failed: Ray's {service} died. {GOES_ON}" in run.said
    assert "Traceback" not in run.said
    run.machine.wait_until_empty()
    results.run_here(study)
    assert results.numbers == expected.numbers


@pytest.mark.slow
def test_a_running_cluster_whose_first_workers_die_is_joined_at_the_second_attempt(
    nodes: Any, machine_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray answers the first who joins once a worker is up, and these never are."""
    monkeypatch.setattr(rehearsal, "JOIN_S", 20.0)
    nodes.add()
    over = threading.Event()

    def kill_workers() -> None:
        while not over.wait(0.05):
            nodes.machine.kill_all(nodes.machine.starting_workers())

    killer = threading.Thread(target=kill_workers)
    killer.start()
    said: list[str] = []
    try:
        rehearsal.rehearse(nodes.address, said.append)
    finally:
        over.set()
        killer.join()
    assert len(said) <= 1


def test_a_cluster_that_cannot_be_joined_ends_with_one_error(
    machine_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "JOIN_S", 0.05)
    said: list[str] = []
    with pytest.raises(ClusterFailedError, match=r"could not be joined in 3 attempts: that took longer than 0\.05 s"):
        rehearsal.rehearse("127.0.0.1:1", said.append)
    assert len(said) == 2


@pytest.mark.slow
def test_a_study_whose_running_cluster_loses_its_head_says_so(
    start: Start, write_study: WriteStudy, results: Any, nodes: Any
) -> None:
    """Last in this file, whose tests share the head."""
    nodes.add()
    study = write_study(search={"trials": 40}, resources=ONE_WORKER)
    results.make_here(study)
    run = start(study, "--address", nodes.address, machine=nodes.machine)
    run.wait_until(lambda: results.ended >= 1, "a trial ends")
    [head] = nodes.machine.services("gcs_server")
    nodes.machine.send(head)
    assert run.code() == 3, run.said
    assert "The Ray cluster failed: " in run.said
    assert "Traceback" not in run.said

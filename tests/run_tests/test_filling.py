"""The thread that fills the pool beside a search ends with it, however the search ends."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lethe.cluster import Crew, Done, Stop
from lethe.filling import Filling
from lethe.place import PlaceError
from lethe.plan import make_plan
from lethe.pool import Pool
from lethe.progress import Progress
from lethe.results import Store
from lethe.search import Journal, StudySearch
from lethe.study import read_study


class Trainers(Crew):
    """Works until it is asked to stop, and then raises what it is given."""

    def __init__(self, stop: Stop, error: Exception | None = None) -> None:
        self.has_ended = False
        self._stop = stop
        self._error = error

    def do(self, jobs: Iterable[Any]) -> Iterator[Done[Any, Any]]:
        while not self._stop.requested:
            time.sleep(0.01)
        self.has_ended = True
        if self._error is not None:
            raise self._error
        yield from ()


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def filling(write_study: Callable[..., Path], store: Store, problems: list[str]) -> Filling:
    study = read_study(write_study())
    plan = make_plan(study, Pool(store.place), store)
    search = StudySearch(plan.cells, store, Journal(store.place, study.name))
    return Filling(plan, Pool(store.place), store, search, Progress(Console(quiet=True)), problems.append)


def is_filling() -> bool:
    return any(thread.name == "lethe-filling" for thread in threading.enumerate())


def test_a_search_that_raises_stops_the_filling_and_waits_for_it(filling: Filling, problems: list[str]) -> None:
    stop = Stop()
    trainers = Trainers(stop)
    with pytest.raises(RuntimeError, match="the search failed"), filling.beside(trainers, stop):
        raise RuntimeError("the search failed")
    assert trainers.has_ended
    assert not is_filling()
    assert problems == []


def test_what_the_filling_raises_beside_a_search_that_raises_is_not_lost(filling: Filling, problems: list[str]) -> None:
    stop = Stop()
    trainers = Trainers(stop, PlaceError("the disk is full"))
    with pytest.raises(RuntimeError, match="the search failed"), filling.beside(trainers, stop):
        raise RuntimeError("the search failed")
    assert problems == ["beside that, the artefacts could not be made: the disk is full"]
    assert not is_filling()


def test_an_interrupt_stops_the_filling_too(filling: Filling) -> None:
    stop = Stop()
    trainers = Trainers(stop)
    with pytest.raises(KeyboardInterrupt), filling.beside(trainers, stop):
        raise KeyboardInterrupt
    assert trainers.has_ended
    assert not is_filling()

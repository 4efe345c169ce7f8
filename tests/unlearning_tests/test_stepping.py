import threading

import pytest

from unlearning.stepping import Stepped


def counting(done: list[int], upto: int = 3) -> Stepped[str]:
    def count() -> str:
        for number in range(upto):
            done.append(number)
            stepped.pause()
        return "counted"

    stepped = Stepped(count)
    return stepped


def test_a_function_waits_after_each_step_and_its_result_comes_last() -> None:
    done: list[int] = []
    steps = counting(done).steps()
    for number in range(3):
        next(steps)
        assert done == list(range(number + 1))
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "counted"


def test_a_function_that_is_closed_ends_where_it_waits_and_cleans_up() -> None:
    done: list[str] = []

    def work() -> None:
        try:
            while True:
                try:
                    stepped.pause()
                except Exception:  # as code that goes on whatever happens
                    done.append("caught")
        finally:
            done.append("cleaned up")

    stepped: Stepped[None] = Stepped(work)
    threads = threading.active_count()
    steps = stepped.steps()
    next(steps)
    steps.close()
    assert done == ["cleaned up"]
    assert stepped.stopped
    assert threading.active_count() == threads


def test_a_function_that_goes_on_when_it_is_stopped_is_stopped_at_its_next_step() -> None:
    done: list[str] = []

    def work() -> None:
        for _ in range(2):
            try:
                stepped.pause()
            except SystemExit:
                done.append("went on")
        stepped.pause()
        done.append("never")

    stepped: Stepped[None] = Stepped(work)
    steps = stepped.steps()
    next(steps)
    steps.close()
    assert done == ["went on", "went on"]


def test_what_a_function_raises_is_raised_where_its_steps_are_taken() -> None:
    def work() -> None:
        stepped.pause()
        raise ZeroDivisionError("here")

    stepped: Stepped[None] = Stepped(work)
    steps = stepped.steps()
    next(steps)
    with pytest.raises(ZeroDivisionError, match="here"):
        next(steps)

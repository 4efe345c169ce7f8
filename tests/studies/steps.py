"""Work that is done step by step, to its end."""

from typing import TypeVar

from lethe.execution.worker_pool import Steps

Result = TypeVar("Result")


def result_of(steps: Steps[Result]) -> Result:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result

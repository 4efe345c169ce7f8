"""Doing nothing: the row that every other row must beat."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from unlearning.methods._base import Method, UnlearningContext


class Nothing(Method):
    """Leave the original as it is."""

    name: Literal["nothing"] = "nothing"
    title: ClassVar[str] = "do nothing"
    epochs: Literal[0] = 0

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Unlearn for no epoch at all."""
        return iter(())

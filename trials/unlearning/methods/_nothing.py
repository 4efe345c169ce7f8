"""Doing nothing: the row that every other row must beat."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from unlearning.methods._base import Method, UnlearningContext


class Nothing(Method):
    """Leave the original as it is."""

    name: Literal["nothing"] = "nothing"
    title: ClassVar[str] = "do nothing"
    multi_label: ClassVar[bool] = True
    epochs: Annotated[Literal[0], Field(description="epochs of unlearning")] = 0

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Unlearn for no epoch at all."""
        return iter(())

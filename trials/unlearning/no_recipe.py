"""Models that nobody here can train again: one is given, and how it was trained is not known."""

from typing import ClassVar, Literal

from pydantic import ConfigDict, RootModel

from unlearning.engine import Precision


class NoRecipe(RootModel[Literal["none"]]):
    """The word `none`: how the given model was trained is not known, and no model is trained here."""

    model_config = ConfigDict(frozen=True, strict=True)

    root: Literal["none"] = "none"

    precision: ClassVar[Precision] = "float32"

    title: ClassVar[str] = "given, trained by a recipe that is not known"

    @property
    def recipe(self) -> "NoRecipe":
        """This."""
        return self

"""What all that shows results without oracles says."""

from typing import Final

NO_ORACLE: Final = "No oracle: the recipe is not known here, so nothing says how close to retraining a row is."

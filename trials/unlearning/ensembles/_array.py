"""Arrays of scores."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
"""float64; its name's last letters say what the axes are: N unlearned models, M oracles, S images."""

"""A tuple that a YAML list may stand for."""

from pydantic import Field

Listed = Field(strict=False)
"""A YAML list may stand for a tuple; what is in it stays strict."""

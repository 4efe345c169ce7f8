"""Lethe: which unlearning setting forgets, how close it comes to retraining, and at what cost."""

from lethe.errors import LetheError
from lethe.execution import ray_settings

ray_settings.prepare()

__all__ = ["LetheError"]

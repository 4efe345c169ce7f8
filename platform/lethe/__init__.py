"""Lethe: which unlearning setting forgets, how close it comes to retraining, and at what cost."""

from lethe import ray_environment

ray_environment.prepare()

"""The one engine that trainings, saliency and unlearning methods compute with: passes, SGD, CUDA graphs."""

from unlearning.engine._engine import DataPass, Engine, Precision, unit_interval

__all__ = ["DataPass", "Engine", "Precision", "unit_interval"]

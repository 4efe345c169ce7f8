"""The one engine that trainings, saliency and unlearning methods compute with: passes, optimisers, CUDA graphs."""

from unlearning.engine._engine import DataPass, Engine, OptimizerName, Precision, autocast, unit_interval
from unlearning.engine._gradients import gradients_along, sum_gradients
from unlearning.engine._images import Streamed, part_of, placed
from unlearning.engine._steps import Batch, Step, StepPass, StepRule, Stream, clipped, flat_norm

__all__ = [
    "Batch",
    "DataPass",
    "Engine",
    "OptimizerName",
    "Precision",
    "Step",
    "StepPass",
    "StepRule",
    "Stream",
    "Streamed",
    "autocast",
    "clipped",
    "flat_norm",
    "gradients_along",
    "part_of",
    "placed",
    "sum_gradients",
    "unit_interval",
]

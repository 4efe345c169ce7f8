"""The one engine that trainings, saliency and unlearning methods compute with: passes, optimisers, CUDA graphs."""

from unlearning.engine._engine import DataPass, Engine, OptimizerName, Precision, autocast, unit_interval
from unlearning.engine._gradients import gradients_along, sum_gradients
from unlearning.engine._layers import LAYERS, NORMS, any_parameter, in_order, layers
from unlearning.engine._steps import Batch, Step, StepPass, StepRule, Stream, clipped, flat_norm

__all__ = [
    "LAYERS",
    "NORMS",
    "Batch",
    "DataPass",
    "Engine",
    "OptimizerName",
    "Precision",
    "Step",
    "StepPass",
    "StepRule",
    "Stream",
    "any_parameter",
    "autocast",
    "clipped",
    "flat_norm",
    "gradients_along",
    "in_order",
    "layers",
    "sum_gradients",
    "unit_interval",
]

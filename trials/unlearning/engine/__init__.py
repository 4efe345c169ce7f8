"""The one engine that trainings, saliency and unlearning methods compute with: passes, optimisers, CUDA graphs."""

from unlearning.engine._engine import Engine, Precision, autocast, unit_interval
from unlearning.engine._fused import FusedEngine
from unlearning.engine._gradients import gradients_along, sum_gradients
from unlearning.engine._grouped import NotGroupedError, grouped
from unlearning.engine._images import Streamed, part_of, placed
from unlearning.engine._kinds import OptimizerKind, OptimizerName
from unlearning.engine._layers import LAYERS, NORMS, any_parameter, in_order, layers
from unlearning.engine._steps import (
    Batch,
    DataPass,
    Loss,
    PlannedEpoch,
    Step,
    StepPass,
    StepRule,
    Stream,
    clipped,
    flat_norm,
    flat_product,
)

__all__ = [
    "LAYERS",
    "NORMS",
    "Batch",
    "DataPass",
    "Engine",
    "FusedEngine",
    "Loss",
    "NotGroupedError",
    "OptimizerKind",
    "OptimizerName",
    "PlannedEpoch",
    "Precision",
    "Step",
    "StepPass",
    "StepRule",
    "Stream",
    "Streamed",
    "any_parameter",
    "autocast",
    "clipped",
    "flat_norm",
    "flat_product",
    "gradients_along",
    "grouped",
    "in_order",
    "layers",
    "part_of",
    "placed",
    "sum_gradients",
    "unit_interval",
]

"""Rewinding: a run returns, without any oracle, to the epoch whose error on the forget set is that of unseen images.

Source: SCRUB+R of Kurmanji et al., "Towards Unbounded Machine Unlearning", NeurIPS 2023 (arXiv 2302.09880), sec. 4.2.
"""

import torch
from torch import Tensor

from unlearning.engine import Engine
from unlearning.methods._base import UnlearningContext


class Rewinding:
    """Keeps a copy of the weights after each epoch, and their error on D_f; epoch 0 is the model as it is now.

    Raises:
        ValueError: there are no held-out images of the classes of D_f.
    """

    def __init__(self, context: UnlearningContext) -> None:
        self._context = context
        self._unseen = _unseen(context)
        self._kept: list[dict[str, Tensor]] = []
        self._errors: list[float] = []
        self.note()

    def note(self) -> None:
        """Keep the model as it is now as that of the next epoch."""
        engine, task = self._context.engine, self._context.task
        images_NCHW, labels_N = engine.images_NCHW[task.forget_N.to(engine.device)], task.labels_N[task.forget_N]
        self._kept.append({name: value.clone() for name, value in engine.model.state_dict().items()})
        self._errors.append(_error(engine, images_NCHW, labels_N))

    def rewind(self) -> int:
        """Return the model to the epoch whose error on D_f is nearest to its present error on unseen images.

        These are the held-out images of the classes of D_f. Of two epochs as near, the earlier one is taken.

        Returns:
            The epoch.
        """
        wanted = _error(self._context.engine, *self._unseen)
        distances = [abs(error - wanted) for error in self._errors]
        epoch = distances.index(min(distances))
        self._context.model.load_state_dict(self._kept[epoch])
        return epoch


def _unseen(context: UnlearningContext) -> tuple[Tensor, Tensor]:
    held_out, task = context.held_out, context.task
    if held_out is not None:
        used_N = torch.isin(held_out.labels_N, task.labels_N[task.forget_N])
        if used_N.any():
            return held_out.images_NCHW[used_N.to(held_out.images_NCHW.device)], held_out.labels_N[used_N]
    raise ValueError("rewinding needs held-out images of the classes of the forget set, got none")


def _error(engine: Engine, images_NCHW: Tensor, labels_N: Tensor) -> float:
    return float((engine.predict(images_NCHW).argmax(1) != labels_N).double().mean())

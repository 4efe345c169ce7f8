"""What a worker computes on: the GPU that it was given a share of, or its CPU cores."""

import os

import torch

from lethe.study import Share


class DeviceError(Exception):
    """A worker that was promised a GPU finds none."""


def resources_here() -> dict[str, float]:
    """Count this machine's cores and GPUs as Ray does."""
    return {"CPU": os.cpu_count() or 1, "GPU": torch.cuda.device_count()}


def claim_device(share: Share) -> torch.device:
    """Give a worker's device, and one torch thread a CPU core that it was given.

    Raises:
        DeviceError: the share has GPU in it and this process sees none.
    """
    torch.set_num_threads(max(1, int(share.cpu)))
    if share.gpu == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(
            f"resources ask for {share.gpu:g} GPU a worker, and torch {torch.__version__} sees none here; "
            "set resources.trial.gpu=0 and resources.training.gpu=0 to run on CPU cores"
        )
    return torch.device("cuda")

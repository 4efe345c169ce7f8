"""Where an engine reads images from: a tensor on its device, or the host's memory, from which batches are copied.

Images that do not fit on the device stay where they are, as a rule mapped from a file. A thread gathers the next batch
while one is computed with, and on a GPU it is copied from pinned memory on a stream of its own. All calls of CUDA are
made by the thread of the engine: while that records its work, those of another thread could break the recording.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Final

import torch
from torch import Tensor

from unlearning.images import Images

ROOM: Final = 0.5
"""The largest share of a device's free memory that images may take; the rest is for what is computed with them."""


class Streamed:
    """Images on the host, some or all, that are copied to a device a batch at a time.

    Args:
        images_NCHW: uint8, on the CPU; they may be mapped from a file.
        rows_M: int64, which of them, in what order; None: all, as they lie.
    """

    def __init__(self, images_NCHW: Tensor, device: torch.device, rows_M: Tensor | None = None) -> None:
        self._images_NCHW = images_NCHW
        self._rows_M = rows_M
        self.device = device
        self.shape = torch.Size((len(images_NCHW) if rows_M is None else len(rows_M), *images_NCHW.shape[1:]))

    def __len__(self) -> int:
        """Count the images."""
        return self.shape[0]

    def __getitem__(self, indices_M: Tensor, /) -> Tensor:
        """Gather images on the device, by int64 indices (M,) on any device."""
        return self._images_NCHW[self._places(indices_M)].to(self.device)

    def only(self, indices_M: Tensor) -> "Streamed":
        """Return some of the images, in this order; nothing is copied."""
        return Streamed(self._images_NCHW, self.device, self._places(indices_M))

    def split(self, size: int, /) -> Iterator[Tensor]:
        """Yield the images in their order, so many at a time, on the device."""
        return self.batches(torch.arange(len(self)).split(size))

    def batches(self, indices: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the images of each tensor of int64 indices on the device, and gather those of the next meanwhile."""
        most = max((len(indices_B) for indices_B in indices), default=0)
        slots = [_slot(self._images_NCHW, most, self.device) for _ in indices[:2]]
        with ThreadPoolExecutor(1) as thread:

            def begun(number: int) -> tuple[_Slot, Future[Tensor]]:
                slot = slots[number % 2]
                slot.wait()
                return slot, thread.submit(slot.gather, self._places(indices[number]))

            ahead = begun(0) if slots else None
            for number in range(1, len(indices) + 1):
                assert ahead is not None
                slot, gathering = ahead
                gathered_BCHW = gathering.result()
                ahead = begun(number) if number < len(indices) else None
                yield slot.arrived(gathered_BCHW)

    def _places(self, indices_M: Tensor) -> Tensor:
        indices_M = indices_M.cpu()
        return indices_M if self._rows_M is None else self._rows_M[indices_M]


def placed(images_NCHW: Tensor, device: torch.device) -> Images:
    """Put images on a device where they take at most `ROOM` of its free memory, else stream them to it.

    Args:
        images_NCHW: uint8, on the CPU. There they stay for a network on the CPU, mapped from a file or not.
    """
    if device.type == "cpu" or images_NCHW.nbytes <= ROOM * _free_bytes(device):
        return images_NCHW.to(device)
    return Streamed(images_NCHW, device)


def part_of(images_NCHW: Images, indices_M: Tensor) -> Images:
    """Return some of the images, in the order of int64 indices; those on the host are gathered batch by batch."""
    if isinstance(images_NCHW, Streamed):
        return images_NCHW.only(indices_M)
    if isinstance(images_NCHW, Tensor) and images_NCHW.device.type == "cpu":
        return Streamed(images_NCHW, images_NCHW.device, indices_M)
    return images_NCHW[indices_M.to(images_NCHW.device)]


def _free_bytes(device: torch.device) -> float:
    """Return what this process may still allocate on a GPU, by the device's memory and by the process's part of it."""
    free_bytes, total_bytes = torch.cuda.mem_get_info(device)
    allocated_bytes = torch.cuda.memory_allocated(device)
    unused_bytes = torch.cuda.memory_reserved(device) - allocated_bytes
    part = torch.cuda.get_per_process_memory_fraction() if hasattr(torch.cuda, _PART) else 1.0
    return min(free_bytes + unused_bytes, part * total_bytes - allocated_bytes)


_PART = "get_per_process_memory_fraction"
"""Older versions of torch keep it to themselves: there a worker's part of a GPU counts as all that is free."""


class _Slot:
    """A place for a batch on its way; on the CPU a batch is where it should be once it is gathered."""

    def __init__(self, images_NCHW: Tensor) -> None:
        self._images_NCHW = images_NCHW

    def wait(self) -> None:
        """Wait until the last batch has left the slot."""

    def gather(self, places_B: Tensor) -> Tensor:
        """Gather a batch on the host; another thread may do it."""
        return self._images_NCHW[places_B]

    def arrived(self, gathered_BCHW: Tensor) -> Tensor:
        """Return the gathered batch on the device, where later work of the engine's stream may read it."""
        return gathered_BCHW


class _PinnedSlot(_Slot):
    """Pinned memory, from which a batch is copied on a stream of its own, beside what the GPU computes."""

    def __init__(self, images_NCHW: Tensor, most: int, device: torch.device) -> None:
        super().__init__(images_NCHW)
        self._pinned_BCHW = torch.empty((most, *images_NCHW.shape[1:]), dtype=torch.uint8, pin_memory=True)
        self._device = device
        self._stream = _copies(device)
        self._left = torch.cuda.Event()

    def wait(self) -> None:
        """Wait until the last batch has left the slot."""
        self._left.synchronize()

    def gather(self, places_B: Tensor) -> Tensor:
        """Gather a batch in pinned memory."""
        return torch.index_select(self._images_NCHW, 0, places_B, out=self._pinned_BCHW[: len(places_B)])

    def arrived(self, gathered_BCHW: Tensor) -> Tensor:
        """Begin the copy, and have later work of the present stream wait for it."""
        with torch.cuda.stream(self._stream):
            batch_BCHW = gathered_BCHW.to(self._device, non_blocking=True)
            self._left.record()
        present = torch.cuda.current_stream(self._device)
        present.wait_event(self._left)
        batch_BCHW.record_stream(present)
        return batch_BCHW


def _slot(images_NCHW: Tensor, most: int, device: torch.device) -> _Slot:
    return _PinnedSlot(images_NCHW, most, device) if device.type == "cuda" else _Slot(images_NCHW)


@cache
def _copies(device: torch.device) -> torch.cuda.Stream:
    """Make the one stream on which batches are copied to a device."""
    return torch.cuda.Stream(device)

"""Seeds by name: every random stream of a study derives from one seed and the stream's own name.

A stream depends on its name alone, so a new method search, seed or epoch never changes the numbers of another. Numbers
are drawn on the CPU and moved to the device: the same seed gives the same numbers on every kind of device.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *names: str | int) -> int:
    """Derive the seed of the stream called ``names`` from ``seed``.

    Returns:
        An integer in [0, 2**63), the head of a SHA-256 over the seed and the names.
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> torch.Generator:
    """Make a CPU generator for the stream called ``names``."""
    return torch.Generator().manual_seed(derive(seed, *names))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, which modules such as dropout draw from, and put them back afterwards.

    Args:
        device: where the modules compute.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield

"""What the manifest of an artifact that was just made says of its making."""

from dataclasses import asdict
from typing import Any

from lethe.artifacts._manifest import Facts
from lethe.artifacts._recipe import Product
from lethe.results.provenance import Provenance, Stopwatch


def facts_of(product: Product, stopwatch: Stopwatch, provenance: Provenance) -> Facts:
    """Return the facts of a product.

    Args:
        stopwatch: started when the work on it began.
        provenance: of the worker that made it.
    """
    here: dict[str, Any] = asdict(provenance)
    return Facts(
        seconds_train=product.seconds,
        seconds_total=stopwatch.seconds,
        images_trained=product.images,
        epochs=product.epochs,
        loss=product.loss,
        repeats=product.repeats,
        ua=product.ua,
        va=product.va,
        ta=product.ta,
        started_at=stopwatch.started_at,
        ended_at=stopwatch.ended_at,
        **here,
    )

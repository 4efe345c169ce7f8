"""The version of each metric, raised by hand when the same logits come to give another value."""

from typing import Final

VERSIONS: Final[dict[str, int]] = {
    "ua": 1,
    "ra": 1,
    "va": 1,
    "ta": 1,
    "mia": 1,
    "attack_accuracy": 1,
    "auc": 1,
    "recall": 1,
    "gap": 1,
    "tow": 1,
}


def versions() -> dict[str, int]:
    """Return the version of each metric, by name."""
    return dict(VERSIONS)

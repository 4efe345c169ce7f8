"""A run must not make again in silence what was purged for a request."""

from collections.abc import Sequence

from lethe.artifacts import Needed
from lethe.errors import LetheError
from lethe.results.purges import purged_artifacts
from lethe.storage.root import StorageRoot


class PurgedError(LetheError):
    """A run that would make again what was purged; the message names the record."""


def refuse_purged(root: StorageRoot, missing: Sequence[Needed]) -> None:
    """Raise PurgedError where artifacts that a run would make were purged.

    Raises:
        BrokenSealError, MalformedError: the record of a purge was changed since it was written.
    """
    purged = purged_artifacts(root)
    again = [one for one in missing if one.recipe.fingerprint in purged]
    if not again:
        return
    found = purged[again[0].recipe.fingerprint]
    labels = ", ".join(dict.fromkeys(f"the {one.label} of seed {one.seed}" for one in again[:3]))
    more = f" and {len(again) - 3} more" if len(again) > 3 else ""
    raise PurgedError(
        f"this would make again {labels}{more}, which were purged on {found.record.at:%Y-%m-%d %H:%M} UTC because they "
        f"were made from images that are to be forgotten (record: {root}/{found.path}). Take the images out of the "
        "data, or the request out of the study; to make all this again on purpose, delete the record first"
    )

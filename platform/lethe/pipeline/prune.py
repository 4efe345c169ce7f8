"""What may go from a results folder to make room, in which order, and what stays there.

Everything here can be made again; rows are never deleted. What is left over goes first. Artifacts go only as far as
they are asked for: those that are quick to make again for their size first, trained models (originals, oracles) last.
Models that were delivered stay, as a purge leaves them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lethe.artifacts import KINDS, LEFTOVERS, ArtifactStore, Stored, delete_stored, stored
from lethe.errors import InputError, LetheError
from lethe.pipeline.confirm import choose, needed_by
from lethe.pipeline.plan import Plan, make_plan
from lethe.pipeline.production import Production, production
from lethe.results import Store
from lethe.results.limits import in_words
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot
from lethe.storage.writer_lock import studies_held
from lethe.study import study_of

PRUNABLE: Final = (*LEFTOVERS, *KINDS)
"""The names that a pruning may be limited to."""


@dataclass(frozen=True)
class Wanted:
    """How much is to go.

    Attributes:
        kinds: the only ones of `PRUNABLE` that may; all if there are none.
        budget_bytes: what artifacts and leftovers may take together afterwards; None: no matter.
        older_than: how long ago an artifact must have been made at least; None: no matter.
    """

    kinds: tuple[str, ...] = ()
    budget_bytes: int | None = None
    older_than: timedelta | None = None

    @property
    def artifacts(self) -> bool:
        """Whether artifacts are asked for, and not only what is left over."""
        return bool(self.kinds) or self.budget_bytes is not None or self.older_than is not None


@dataclass(frozen=True)
class Pruning:
    """What would go.

    Attributes:
        going: in the order in which it goes.
        held_bytes: what all artifacts and leftovers take now.
        notes: what stays for a study that is running or because it was delivered, a sentence each.
        problems: what was asked for and cannot be had, a sentence each.
        held: the studies that were running when this was found.
    """

    going: tuple[Stored, ...]
    held_bytes: int
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    held: frozenset[str]

    @property
    def size_bytes(self) -> int:
        """Sum the sizes of what would go."""
        return sum(one.size_bytes for one in self.going)

    @property
    def seconds(self) -> float:
        """Sum the seconds that making all of it again takes one worker."""
        return sum(one.seconds for one in self.going)


def prunable(root: StorageRoot, wanted: Wanted) -> Pruning:
    """Find what would go; nothing is deleted.

    Raises:
        InputError: a kind is not known.
        SchemaError: a newer Lethe wrote an artifact.
        StorageError: the results cannot be read.
    """
    if unknown := [kind for kind in wanted.kinds if kind not in PRUNABLE]:
        raise InputError(f"unknown kinds {', '.join(unknown)}; there are {', '.join(PRUNABLE)}")
    found, held = stored(root), studies_held(root)
    needed, notes = _needed(root, held)
    asked_for = [one for one in found if _may_go(one, wanted, needed, running=bool(held))]
    certified = Layout(root).certified()
    delivered = [one for one in asked_for if not one.is_leftover and one.name in certified]
    notes += [f"{one.kind} {one.name}, {in_words(one.size_bytes)}, stays: it was delivered." for one in delivered]
    may_go = [one for one in asked_for if one not in delivered]
    held_bytes = sum(one.size_bytes for one in found if one.kind != "cache")
    going, left_bytes = [], held_bytes
    for one in sorted(may_go, key=_order):
        fits = wanted.budget_bytes is not None and left_bytes <= wanted.budget_bytes
        if one.is_leftover or not fits:
            going.append(one)
            left_bytes -= one.size_bytes if one.kind != "cache" else 0
    problems = []
    if wanted.budget_bytes is not None and left_bytes > wanted.budget_bytes:
        problems.append(
            f"{in_words(left_bytes)} stay, more than the budget of {in_words(wanted.budget_bytes)}: the rest was "
            "delivered, is needed by a running study, or is not of the kinds or the age that may go"
        )
    return Pruning(tuple(going), held_bytes, tuple(notes), tuple(problems), frozenset(held))


def prune(root: StorageRoot, pruning: Pruning, done: Callable[[Stored], None]) -> list[str]:
    """Delete what would go, one after the other, and stop where another study has begun to run meanwhile.

    Args:
        done: called after each deletion.

    Returns:
        what stayed for that reason, a sentence; nothing where all of it went.

    Raises:
        StorageError: something could not be deleted; what came before it is gone.
    """
    for number, one in enumerate(pruning.going):
        if begun := studies_held(root).keys() - pruning.held:
            left = len(pruning.going) - number
            return [f"{', '.join(sorted(begun))} began to run meanwhile, so {left} of {len(pruning.going)} stayed"]
        delete_stored(root, one)
        done(one)
    return []


def _may_go(one: Stored, wanted: Wanted, needed: Collection[str] | None, *, running: bool) -> bool:
    """Return whether something may go.

    Args:
        needed: fingerprints that running studies need; None: all.
    """
    if wanted.kinds and one.kind not in wanted.kinds:
        return False
    if one.is_leftover:
        return not (running and one.kind in ("unusable", "half_written"))  # a worker may be writing it
    if not wanted.artifacts or needed is None or one.name in needed:
        return False
    young = one.made_at is not None and wanted.older_than and datetime.now(UTC) - one.made_at < wanted.older_than
    return not young


def _order(one: Stored) -> tuple[bool, bool, float, str]:
    return not one.is_leftover, one.kind == "trained_model", one.seconds / max(one.size_bytes, 1), one.name


def _needed(root: StorageRoot, held: Mapping[str, str]) -> tuple[set[str] | None, list[str]]:
    """Return the fingerprints that running studies need, None for all, and a sentence about each study."""
    needed: set[str] = set()
    notes = []
    for study, holder in held.items():
        try:
            own = _needed_by(root, study)
        except LetheError as error:
            why = f"{study} is being run by {holder}, and what it needs cannot be found out here: {error}"
            return None, [f"{why}\nSo every artifact stays."]
        needed |= own
        notes.append(f"{study} is being run by {holder}: the artifacts that it needs stay.")
    return needed, notes


def _needed_by(root: StorageRoot, study: str) -> set[str]:
    """Return the fingerprints of what the specification of a study that was run last needs, keeps and may deliver.

    Raises:
        LetheError: its rows or its data cannot be read here.
    """
    store = Store(root)
    boards = store.read("boards", study).select(["specification_id", "run_at"]).to_pylist()
    if not boards:
        raise InputError("it has recorded no specification yet")
    latest = max(boards, key=lambda row: (row["run_at"], row["specification_id"]))["specification_id"]
    rows: Sequence[Mapping[str, str]] = store.read("studies", study).to_pylist()
    text = next((row["specification"] for row in rows if row["specification_id"] == latest), None)
    if text is None:
        raise InputError("its specification is not recorded")
    plan = make_plan(study_of(text), ArtifactStore(root, keep=False), store, download=False)
    kept = {one.unlearned.fingerprint for one in plan.wanted if one.unlearned}
    return {one.recipe.fingerprint for one in (*plan.needed, *needed_by(_deliverable(plan)))} | kept


def _deliverable(plan: Plan) -> list[Production]:
    """List what a delivery of the study may be making: of every row whose setting is known."""
    found = []
    for method_search in plan.method_searches:
        choice = choose(method_search, plan.trials)
        if choice is not None or not method_search.trials:
            for scenario in method_search.scenarios:
                with suppress(InputError):  # of a given model that method delivers nothing
                    found.append(production(method_search, choice, scenario))
    return found

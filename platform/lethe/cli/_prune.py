"""The command that makes room in a results folder."""

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import Where, console, echo, stderr
from lethe.cli._json import Json, answering
from lethe.errors import InputError

if TYPE_CHECKING:
    from lethe.artifacts import Stored
    from lethe.pipeline.prune import Pruning


def prune(
    results: Where = "results",
    budget: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Delete artifacts until all together take this, such as 20GB or 0."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Delete artifacts that are older, such as 30d, 12h or 2w.")
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...",
            help="Delete these alone: checkpoints, unusable, half_written, quarantine, cache, or kinds of artifacts "
            "such as unlearned_model, saliency, trained_model.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this nothing is deleted.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what can be made again, or show what would go.

    What is left over always goes: checkpoints of finished artifacts, folders without a usable artifact, files that a
    process which died left half written, what was found broken, and this machine's copies of files in an object store.
    Artifacts go as far as --budget, --older-than and --kinds say, those that are quick to make again first, originals
    and oracles last. No row is deleted; models that were delivered stay, and so does what a study needs that is being
    run or delivered. The next run of a study makes again what it needs.

    Exit codes: 0: done; 1: done, and more stays than --budget allows, or a study began meanwhile; 2: something in the
    input is wrong.
    """
    from lethe.pipeline.prune import Wanted, prunable
    from lethe.pipeline.prune import prune as delete
    from lethe.results.durations import parse_age
    from lethe.results.limits import parse_size
    from lethe.storage.root import StorageRoot

    with answering("prune", as_json=as_json) as answer:
        wanted = Wanted(
            tuple(filter(None, (kinds or "").replace(" ", "").split(","))),
            None if budget is None else parse_size(budget),
            None if older_than is None else parse_age(older_than),
        )
        root = StorageRoot.at(results)
        if not root.entries():
            raise InputError(f"no results in {root}: name the folder or URI of results with --results")
        pruning = prunable(root, wanted)
        gone: list[Stored] = []
        problems = [*pruning.problems, *(delete(root, pruning, gone.append) if yes else ())]
        stderr(*pruning.notes, *problems)
        if as_json:
            answer(_document(pruning, gone), exit_code=1 if problems else 0, problems=problems)
            return
        _print(pruning, gone, yes=yes)
        raise typer.Exit(1 if problems else 0)


def _document(pruning: "Pruning", gone: "list[Stored]") -> dict[str, object]:
    going = [
        {
            "kind": one.kind,
            "name": one.name,
            "bytes": one.size_bytes,
            "seconds": one.seconds,
            "made_at": one.made_at,
            "deleted": one in gone,
        }
        for one in pruning.going
    ]
    return {
        "held_bytes": pruning.held_bytes,
        "bytes": pruning.size_bytes,
        "seconds": pruning.seconds,
        "going": going,
        "notes": pruning.notes,
    }


def _print(pruning: "Pruning", gone: "list[Stored]", *, yes: bool) -> None:
    from lethe.results.durations import measured
    from lethe.results.limits import in_words

    by_kind: defaultdict[str, list[Stored]] = defaultdict(list)
    for one in pruning.going:
        by_kind[one.kind].append(one)
    if by_kind:
        table = Table("what", "number", "size", "to make again", box=SIMPLE_HEAD, pad_edge=False)
        for kind, members in by_kind.items():
            seconds = sum(one.seconds for one in members)
            size = in_words(sum(one.size_bytes for one in members))
            table.add_row(*map(Text, (kind, str(len(members)), size, measured(seconds) if seconds else "")))
        console().print(table)
    total = f"{in_words(pruning.size_bytes)} of {in_words(pruning.held_bytes)}"
    if yes:
        echo(f"Deleted {len(gone)}: {in_words(sum(one.size_bytes for one in gone))} of {in_words(pruning.held_bytes)}.")
    elif by_kind:
        echo(f"{total} would go, {measured(pruning.seconds)} to make again. Nothing was deleted: add --yes.")
    else:
        echo(f"Nothing would go of {in_words(pruning.held_bytes)}.")

"""Commands around what leaves the platform: keys, verification, and removing what a request leaves behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lethe.cli._common import Where, echo, reporting_errors, stderr
from lethe.cli._json import Json, answering

if TYPE_CHECKING:
    from lethe.delivery import PurgePlan, Trace
    from lethe.delivery.certificate import Verified

key = typer.Typer(help="Make keys that sign certificates.", no_args_is_help=True)

_MARKS: Final = {True: "ok", False: "FAILED", None: "note"}


@key.command("new")
def key_new(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File of the private key; PATH.pub is the public one.")],
) -> None:
    """Make a key pair for signatures (Ed25519)."""
    from lethe.storage.signing import new_key, public_path

    with reporting_errors():
        public = new_key(path)
        echo(f"{path}: the private key, readable by you alone; keep it secret, and a copy of it.")
        echo(f"{public_path(path)}: the public key, {public}; give it to whoever verifies.")


def verify(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A delivery's folder, or the file of a purge's record.")
    ],
    public_key: Annotated[
        Path | None, typer.Option("--public-key", metavar="FILE", help="Public key of whoever should have signed.")
    ] = None,
    opening: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What opens the commitments: certificates/*.opening.json of the results."),
    ] = None,
    requester: Annotated[
        str | None, typer.Option(metavar="NAME", help="Check that this requester asked. Needs --opening.")
    ] = None,
    positions: Annotated[
        str | None,
        typer.Option("--list", metavar="HASH", help="Check that the list of this hash was asked for. Needs --opening."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a delivery by its certificate, offline.

    Checks the certificate's schema, its seal and signature, and that the folder holds exactly the files that it lists,
    unchanged. Without --public-key a signature proves only that nothing changed since somebody signed.

    Exit codes: 0: every check passed; 1: a check failed (listed above); 2: it cannot be checked.
    """
    from lethe.delivery.certificate import Claims
    from lethe.delivery.certificate import verify as verify_path
    from lethe.storage.signing import read_public_key

    with answering("verify", as_json=as_json) as answer:
        expected = read_public_key(public_key) if public_key else None
        found = verify_path(path, Claims(expected, opening, requester, positions))
        if as_json:
            failed = [f"{check.name}: {check.told}" for check in found.checks if check.passed is False]
            stderr(*failed)
            answer(_verified(path, found), exit_code=0 if found.sound else 1, problems=failed)
            return
        for check in found.checks:
            echo(f"{_MARKS[check.passed]:6} {check.name}: {check.told}")
        if found.certificate:
            said = found.certificate
            echo(f"The certificate says: {said.verdict} ({said.made_at:%Y-%m-%d %H:%M} UTC).")
        if not found.sound:
            stderr(f"{path} is not what was certified.")
            raise typer.Exit(1)


def purge(
    study: Annotated[str, typer.Option("--study", help="The study of the request.")],
    request: Annotated[
        str, typer.Option("--request", metavar="LABEL|HASH", help="The request, as reports call it, or its hash.")
    ],
    results: Where = "results",
    data: Annotated[
        str, typer.Option("--data", metavar="HASH", help="Which data, where the study has this request for several.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Remove what other studies and requests need, too.")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Private key that signs the record.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it. Default: only list it.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what is derived from the images of a request.

    Lists models that were trained on them, what was made from these, rows that name single images, and caches. With
    --yes it is removed, and a record of it is kept among the results; a run of the study then refuses to make it
    again. What was delivered stays.

    Exit codes: 0: done, or listed; 1: done, but not all of it, since something else needs the rest (listed above); 2:
    something in the input is wrong, or a study is being run.
    """
    from lethe.delivery import find_withdrawal, plan_purge
    from lethe.delivery import purge as carry_out
    from lethe.storage.root import StorageRoot
    from lethe.storage.signing import read_signing_key

    with answering("purge", as_json=as_json) as answer:
        signing_key = read_signing_key(key_file) if key_file else None
        root = StorageRoot.at(results)
        asked, record = find_withdrawal(root, study, request, data), None
        if yes:
            plan, record = carry_out(asked, signing_key, everything=everything)
        else:
            plan = plan_purge(asked, everything=everything)
        if not as_json:
            _print_plan(plan, done=yes)
        left = [_left(trace) for trace in plan.kept if not trace.delivered] if yes else []
        if as_json:
            stderr(*left)
            answer(_purged(plan, record, signed=bool(signing_key)), exit_code=1 if left else 0, problems=left)
            return
        if record is None:
            echo("Nothing was removed; --yes removes it.")
        else:
            echo(f"Record: {record}{'' if signing_key else ' (UNSIGNED; --key FILE signs it)'}")
        if left:
            stderr(*_why_not_all(plan))
            raise typer.Exit(1)


def _verified(path: Path, found: "Verified") -> dict[str, Any]:
    said = found.certificate
    return {
        "path": str(path),
        "sound": found.sound,
        "checks": [{"name": one.name, "passed": one.passed, "finding": one.told} for one in found.checks],
        "certificate": said and {"verdict": said.verdict, "made_at": said.made_at},
    }


def _purged(plan: "PurgePlan", record: str | None, *, signed: bool) -> dict[str, Any]:
    from lethe.delivery import why_kept

    asked = plan.withdrawal
    return {
        "study": asked.study,
        "request": asked.label,
        "forget_hash": asked.forget_hash,
        "data_hash": asked.data_hash,
        "removed": record is not None,
        "record": record,
        "signed": signed and record is not None,
        "going": [_trace(one) for one in plan.removed],
        "staying": [{**_trace(one), "stays_because": why_kept(one)} for one in plan.kept],
    }


def _trace(trace: "Trace") -> dict[str, Any]:
    return {
        "what": trace.what,
        "where": str(trace.file) if trace.file else trace.where,
        "why": trace.why,
        "bytes": trace.size_bytes,
        "fingerprint": trace.key.fingerprint if trace.key else None,
        "delivered": trace.delivered,
    }


def _print_plan(plan: "PurgePlan", *, done: bool) -> None:
    asked = plan.withdrawal
    echo(f"{asked.study}, forget {asked.label} ({asked.forget_hash}), data {asked.data_hash}")
    echo(f"{'Removed' if done else 'To be removed'}: {len(plan.removed) or 'nothing'}")
    for trace in plan.removed:
        echo(f"  {_described(trace)}")
    if plan.kept:
        echo(f"Stays: {len(plan.kept)}")
    for trace in plan.kept:
        echo(f"  {_left(trace)}")


def _why_not_all(plan: "PurgePlan") -> Iterator[str]:
    """Yield why the purge ends with exit code 1: what stays, and whose doing that is."""
    needed = [one for one in plan.kept if one.needed_by and not one.delivered]
    if needed:
        others = ", ".join(sorted({other for one in needed for other in one.needed_by}))
        yield f"Not all was removed: {len(needed)} of what is listed above stay for {others}; --all removes them, too."
    by_hand = [one for one in plan.kept if one.by_hand]
    if by_hand:
        yield f"Not all was removed: {len(by_hand)} of what is listed above stay, which nothing of Lethe's removes."


def _left(trace: "Trace") -> str:
    from lethe.delivery import why_kept

    return f"{_described(trace)}; {why_kept(trace)}"


def _described(trace: "Trace") -> str:
    place = str(trace.file) if trace.file else trace.where
    size = f", {trace.size_bytes:,} bytes" if trace.size_bytes is not None else ""
    why = "" if trace.delivered else f"; {trace.why}"
    return f"{trace.what}: {place}{size}{why}"

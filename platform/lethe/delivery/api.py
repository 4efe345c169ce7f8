"""Delivery from Python: `lethe.forget` and `lethe.deliver`, which the commands of those names call too."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from lethe.delivery._deliver import Delivery, Signed, deliver_study, last_study
from lethe.delivery._earlier import refuse_other_request
from lethe.pipeline.api import FinishedStudy, run
from lethe.pipeline.plan import Plan
from lethe.pipeline.progress import Progress
from lethe.storage.root import StorageRoot
from lethe.storage.signing import read_signing_key
from lethe.study import Study

DELIVERIES: Final = Path("delivery")
"""The folder of deliveries, in the working directory."""


def deliver(
    study: str,
    results: StorageRoot | str | Path = "results",
    *,
    method: str | None = None,
    scenario: str | None = None,
    out: str | Path | None = None,
    address: str | None = None,
    requester: str | None = None,
    key: str | Path | None = None,
    console: Console | None = None,
) -> Delivery:
    """Deliver what a study that was run chose: make the unlearned model, confirm it, and write its folder.

    Args:
        study: the name of the study; the version of its file that was run last counts.
        results: where it was run: a folder, or a URI such as ``s3://bucket/results``.
        method: the row to deliver, such as ``salun``; the method with the smallest confirmed gap if not given.
        scenario: the beginning of the fingerprint of a scenario, where the study has several.
        out: the folder to write; ``delivery/STUDY`` if not given.
        address: of a running Ray cluster, or ``auto``; None works in this process.
        requester: who asked, such as the number of a letter; the certificate holds only a commitment to it.
        key: file of the private key that signs the certificate (``lethe key new``); None leaves it unsigned.
        console: where progress is printed; the standard output if not given.

    Raises:
        DeliveryError: the study was not run, there is nothing to deliver, or the folder holds something else.
        StudyError: the study cannot be read.
        CheckpointError: the given model cannot be read, or is not of the study's network.
        ExportError: the network cannot be exported as a program.
        InterruptedStudyError: it was stopped; the same call goes on.
        DataError, StorageError, ClusterError: what the study needs is not available.
    """
    root = StorageRoot.at(results)
    return _deliver(last_study(root, study), root, method, scenario, out, address, signed_as(requester, key), console)


def forget(
    study: Study | Mapping[str, Any] | str | Path,
    results: StorageRoot | str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    method: str | None = None,
    scenario: str | None = None,
    out: str | Path | None = None,
    address: str | None = None,
    requester: str | None = None,
    key: str | Path | None = None,
    local: bool = False,
    force: bool = False,
    console: Console | None = None,
) -> Delivery:
    """Run a study, or continue it, and deliver what it chose.

    Args:
        study, results, overrides, address, local, force, console: as for `lethe.run`.
        method, scenario, out, requester, key: as for `lethe.deliver`.

    Raises:
        As `lethe.run` and `lethe.deliver`; DeliveryError before anything runs where the folder holds a delivery for
        another request.
    """
    signed_as(requester, key)
    finished = run(
        study,
        results,
        overrides=overrides,
        address=address,
        local=local,
        force=force,
        check=unless_taken(out, method, scenario),
        console=console,
    )
    return deliver_finished(
        finished,
        method=method,
        scenario=scenario,
        out=out,
        address=address,
        requester=requester,
        key=key,
        console=console,
    )


def deliver_finished(
    finished: FinishedStudy,
    *,
    method: str | None = None,
    scenario: str | None = None,
    out: str | Path | None = None,
    address: str | None = None,
    requester: str | None = None,
    key: str | Path | None = None,
    console: Console | None = None,
) -> Delivery:
    """Deliver what a study chose that has just been run; see `deliver`."""
    return _deliver(finished.study, finished.root, method, scenario, out, address, signed_as(requester, key), console)


def _deliver(
    study: Study,
    root: StorageRoot,
    method: str | None,
    scenario: str | None,
    out: str | Path | None,
    address: str | None,
    signed: Signed,
    console: Console | None,
) -> Delivery:
    folder = _folder_of(study, out)
    with Progress(console or Console()) as progress:
        return deliver_study(
            study, root, folder, method=method, scenario=scenario, address=address, signed=signed, say=progress.say
        )


def signed_as(requester: str | None, key: str | Path | None) -> Signed:
    """Return what a certificate will say of people.

    Raises:
        InputError: the key cannot be read; said before a study runs for hours.
    """
    path = None if key is None else Path(key).expanduser()
    if path is not None:
        read_signing_key(path)
    return Signed(requester, path)


def unless_taken(out: str | Path | None, method: str | None, scenario: str | None) -> Callable[[Plan], None]:
    """Return a check of a run's plan: that its delivery is not bound to be refused for what is in the folder.

    Args:
        out, method, scenario: as for `deliver`.
    """

    def check(plan: Plan) -> None:
        refuse_other_request(_folder_of(plan.study, out), plan, method, scenario)

    return check


def _folder_of(study: Study, out: str | Path | None) -> Path:
    return DELIVERIES / study.name if out is None else Path(out).expanduser()

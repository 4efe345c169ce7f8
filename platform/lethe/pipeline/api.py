"""A study from Python: `lethe.run` and `lethe.plan`, which the commands of those names call too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from lethe.artifacts import ArtifactStore
from lethe.errors import InputError
from lethe.execution.connect import connect
from lethe.execution.node_types import node_types_of
from lethe.pipeline.estimate import Estimate, estimate
from lethe.pipeline.plan import Plan, make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.purged import refuse_purged
from lethe.pipeline.run import StudyRun
from lethe.results import Results, Store
from lethe.storage.root import StorageRoot
from lethe.study import Study, study_of


@dataclass(frozen=True)
class FinishedStudy:
    """A finished study, with access to its results.

    Attributes:
        study: as it was read.
        root: where its results are.
        problems: what went wrong without stopping the study, a sentence each; empty where all went well.
    """

    study: Study
    root: StorageRoot
    problems: tuple[str, ...]

    def leaderboard(self) -> pa.Table:
        """Return the confirmed comparison: one row per scenario and method, as the view ``leaderboard`` describes."""
        return self.load("leaderboard")

    def load(self, name: str) -> pa.Table:
        """Return a table, a view or a saved query, with the rows of this study alone.

        Raises:
            QueryError: there is no such name.
        """
        return Results(self.root, self.study.name).load(name)

    def query(self, sql: str) -> pa.Table:
        """Return the answer to one reading SQL statement over the rows of this study; see `lethe.query`.

        Raises:
            QueryError: the SQL has no answer.
        """
        return Results(self.root, self.study.name).query(sql)


@dataclass(frozen=True)
class PlannedStudy:
    """What a study would do now.

    Attributes:
        root: where its results are, or would be.
        plan: what exists, and what is left to do.
        estimate: how much runs at once on which machines, and about how long it takes.
    """

    root: StorageRoot
    plan: Plan
    estimate: Estimate


def run(
    study: Study | Mapping[str, Any] | str | Path,
    results: StorageRoot | str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    address: str | None = None,
    local: bool = False,
    force: bool = False,
    check: Callable[[Plan], None] | None = None,
    console: Console | None = None,
) -> FinishedStudy:
    """Run a study, or continue it: what was finished before is found in the results and not done again.

    Args:
        study: the path of a study file, its YAML text (with at least one line break), its options as a mapping, or a
            `lethe.study.Study`.
        results: a folder, or a URI such as ``s3://bucket/results``; the study's own ``results`` if not given.
        overrides: changes to the study, such as ``search.trials=40``.
        address: of a running Ray cluster, or ``auto`` for the one on this machine; None starts Ray on this machine.
        local: run in this process, one thing at a time, without Ray.
        force: use a results folder that holds files of another tool, too.
        check: called with the plan before anything is recorded or made; what it raises ends the run.
        console: where progress is printed; the standard output if not given. ``Console(quiet=True)`` prints nothing.

    Raises:
        StudyError: the study cannot be read or has errors; all of them are listed. Or its given model was delivered
            for an earlier request whose images are still in the data, outside this one.
        InputError: the arguments exclude each other.
        InterruptedStudyError: the run was stopped. What was finished is kept; the same call continues.
        PurgedError: the run would make again what was purged for a request.
        DataError: the data cannot be found or used.
        ClusterError: the Ray cluster cannot be reached or used.
        StorageError: the results cannot be read or written.
    """
    read = study_of(study, overrides)
    if local and address:
        raise InputError("local and address exclude each other: choose where the study runs")
    if local and read.search.early_stopping:
        raise InputError("search.early_stopping needs Ray Tune: leave it out, or run without local")
    root = StorageRoot.at(results or read.results)
    with Progress(console or Console()) as progress:
        study_run = StudyRun(read, root, progress)
        study_run.run(address, local=local, force=force, check=check)
    return FinishedStudy(read, root, tuple(study_run.problems))


def plan(
    study: Study | Mapping[str, Any] | str | Path,
    results: StorageRoot | str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    address: str | None = None,
) -> PlannedStudy:
    """Plan a study: what exists already, what is left to do, and about how long it takes. Nothing is written.

    Args:
        study: as for `lethe.run`.
        results: as for `lethe.run`.
        overrides: changes to the study, such as ``search.trials=40``.
        address: of the Ray cluster to plan for; None plans for this machine.

    Raises:
        StudyError: the study cannot be read or has errors; all of them are listed.
        DataError: the data is not on this machine, or cannot be used; nothing is downloaded.
        PurgedError: a run would make again what was purged for a request.
        ClusterError: the Ray cluster cannot be reached.
        StorageError: the results cannot be read.
    """
    read = study_of(study, overrides)
    root = StorageRoot.at(results or read.results)
    store = Store(root)
    made = make_plan(read, ArtifactStore(root, keep=False), store, download=False)
    refuse_purged(root, made.missing)
    with connect(address, local=address is None) as connection:
        machines = node_types_of(connection.nodes())
    return PlannedStudy(root, made, estimate(made, store, machines))

"""The plan of a study: what exists already, and what must still run."""

from collections.abc import Sequence
from dataclasses import dataclass

from lethe.confirm import Confirmation, compare, confirmations
from lethe.pool import CorruptArtefactError, Pool, TrainingJob, jobs_for
from lethe.precision import PrecisionChoice, choose_precision
from lethe.results import ConfirmationRow, Store, TrialRow, to_rows
from lethe.study import Cell, Study, expand, questions_of
from unlearning.data import AnySource, DataError, ImageData, MedMNIST, catalogue, load


@dataclass(frozen=True)
class Plan:
    """A study held against its results place.

    Attributes:
        study: in its precision.
        precision: which that is, and why.
        missing: trainings of which some artefact is not in the pool, or is broken.
        broken: what is wrong with broken artefacts, one sentence each.
        trials: those that ended already.
        confirmed: how many rows of the table are confirmed already.
        unconfirmed: those that are still to be, as far as the choice is known.
        unrecorded: fingerprints of artefacts that are there without a row: whoever made them died before, or it broke.
        outdated: confirmed rows, with the cost of a search that has grown since and chose the same.
    """

    study: Study
    precision: PrecisionChoice
    datasets: tuple[ImageData, ...]
    cells: tuple[Cell, ...]
    jobs: tuple[TrainingJob, ...]
    missing: tuple[TrainingJob, ...]
    broken: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    confirmed: int
    unconfirmed: tuple[Confirmation, ...]
    outdated: tuple[ConfirmationRow, ...]
    unrecorded: frozenset[str]

    @property
    def trials_planned(self) -> int:
        """Count the trials of all cells."""
        return sum(cell.trials for cell in self.cells)

    @property
    def trials_left(self) -> int:
        """Count the trials that have not ended."""
        done = [sum(row.cell == cell.fingerprint for row in self.trials) for cell in self.cells]
        return sum(max(0, cell.trials - count) for cell, count in zip(self.cells, done, strict=True))

    @property
    def confirmations_planned(self) -> int:
        """Count the rows of all tables: original, oracle, each method and its controls, on each reporting seed."""
        methods = sum(1 + len(cell.choice.example.controls()) for cell in self.cells)
        return (2 * len(questions_of(self.cells)) + methods) * len(self.study.seeds.reporting)

    @property
    def complete(self) -> bool:
        """Tell whether nothing is left to do."""
        return not (self.missing or self.trials_left or self.unconfirmed or self.outdated or self.unrecorded)


def make_plan(study: Study, pool: Pool, store: Store, *, download: bool = True) -> Plan:
    """Load a study's data, choose its precision, spread it out, and look up what exists.

    Args:
        download: whether data that is not on this machine is fetched, where the study says so.

    Raises:
        DataError: the data cannot be had, or a forget request does not fit it.
    """
    datasets = {source: load(source if download else _here(source)) for source in dict.fromkeys(study.data)}
    precision = choose_precision(study, tuple(datasets.values()), store)
    study = study.in_precision(precision.precision)
    cells = expand(study, datasets)
    jobs = [*jobs_for(cells, study.seeds.tuning), *jobs_for(cells, study.seeds.reporting)]
    missing, broken = _missing(pool, jobs)
    wanted = {cell.fingerprint for cell in cells}
    trials = [row for row in to_rows(store.read("trials", study.name), TrialRow) if row.cell in wanted and row.final]
    confirmed = to_rows(store.read("confirmations", study.name), ConfirmationRow)
    known = confirmations(cells, trials)
    missing_rows, outdated = compare(known, confirmed)
    present = _fingerprints(jobs) - _fingerprints(missing)
    return Plan(
        study,
        precision,
        tuple(datasets.values()),
        tuple(cells),
        tuple(jobs),
        tuple(missing),
        tuple(broken),
        tuple(trials),
        len(known) - len(missing_rows),
        tuple(missing_rows),
        tuple(outdated),
        present - set(store.read("artifacts")["artifact_id"].to_pylist()),
    )


def _here(source: AnySource) -> AnySource:
    """Return the source with its data on this machine.

    Raises:
        DataError: it is not, and a run would download it.
    """
    if not (isinstance(source, MedMNIST) and source.download):
        return source
    if catalogue.check(source.name, source.size, source.root).verdict == "missing":
        folder = f" --root {source.root}" if source.root else ""
        raise DataError(
            f"{source.name}: its file is not on this machine, and a plan downloads nothing: `lethe run` will, or fetch "
            f"it now by `lethe data fetch {source.name} --size {source.size}{folder}`"
        )
    return source.model_copy(update={"download": False})


def _fingerprints(jobs: Sequence[TrainingJob]) -> frozenset[str]:
    return frozenset(key.fingerprint for job in jobs for key in job.keys)


def _missing(pool: Pool, jobs: Sequence[TrainingJob]) -> tuple[list[TrainingJob], list[str]]:
    missing, broken = [], []
    for job in jobs:
        absent = False
        for key in job.keys:
            try:
                absent |= pool.verify(key) is None
            except CorruptArtefactError as error:
                broken.append(f"broken {key.kind}: {error}; it will be set aside and made again")
                absent = True
        if absent:
            missing.append(job)
    return missing, broken

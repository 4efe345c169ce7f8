"""The search as optuna-dashboard shows it: a journal file among the results, one Optuna study for each method search.

The journal is written for people; the rows are the record, and a lost or broken journal is written anew from them.
"""

import math
import shutil
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from pydantic_core import from_json

from lethe.errors import LetheError
from lethe.execution.leftovers import owned_folder
from lethe.storage.layout import Layout, journal_name
from lethe.storage.root import StorageRoot, UnfitFileError
from lethe.study import MethodSearch

UPLOAD_S = 10.0
"""Seconds between two uploads to an object store, where a file cannot grow and is sent whole."""

UPLOAD_SHARE = 0.05
"""Largest share of the time spent uploading: a journal of many trials is sent less often."""

RECORD_LIMIT_BYTES = 1 << 20
"""Longest line of a journal."""


class BrokenJournalError(LetheError):
    """A journal that Optuna cannot replay or append to; the message says why."""


class Journal:
    """Appends ended trials to the journal of a study.

    On an object store the file lags behind by some seconds, until `upload`; what it lacks after a kill is written with
    the next run.

    Attributes:
        problem: what was wrong with the journal that was found and where it lies now, for people; empty if nothing.
    """

    def __init__(self, root: StorageRoot, study: str) -> None:
        self._root = Layout(root).journals
        self._name = journal_name(study)
        self._remote = self._root.local_path(self._name) is None
        self._clock: Callable[[], float] = time.monotonic
        self._upload_due = -math.inf
        self._uploaded = True
        self.problem = ""
        try:
            self._file = self._local_file()
            self._storage = self._open()
        except (BrokenJournalError, UnfitFileError) as error:
            aside = self._root.quarantine(self._name)
            self.problem = f"the broken journal {self._root}/{self._name} was moved to quarantine as {aside}: {error}"
            self._file = self._local_file()
            self._storage = self._open()

    def recorder(self, method_search: MethodSearch) -> Callable[[FrozenTrial], None]:
        """Return what records a method search's trials; one that is in the journal already is not written again."""
        with self._root.reporting(f"write {self._name} to"):
            study = optuna.create_study(
                storage=self._storage,
                study_name=f"{method_search.title} ({method_search.fingerprint[:8]})",
                directions=["minimize"] * len(method_search.study.search.objectives),
                load_if_exists=True,
            )
        numbers = [trial.user_attrs.get("number") for trial in study.get_trials(deepcopy=False)]
        present = {number for number in numbers if isinstance(number, int)}

        def record(trial: FrozenTrial) -> None:
            if trial.number in present:
                return
            copy = optuna.create_trial(
                state=trial.state,
                values=trial.values,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values=trial.intermediate_values,
                user_attrs={**trial.user_attrs, "number": trial.number},
            )
            with self._root.reporting(f"write {self._name} to"):
                study.add_trial(copy)
            self._uploaded = not self._remote
            if self._clock() >= self._upload_due:
                self.upload()

        return record

    def upload(self) -> None:
        """Bring an object store's file up to date."""
        if self._uploaded:
            return
        began = self._clock()
        self._root.write(self._name, self._file.read_bytes())
        self._uploaded = True
        self._upload_due = self._clock() + max(UPLOAD_S, (self._clock() - began) / UPLOAD_SHARE)

    def _local_file(self) -> Path:
        path = self._root.local_path(self._name)
        if path is not None:
            self._root.make()
            return path
        path = owned_folder() / self._name
        weakref.finalize(self, shutil.rmtree, path.parent, ignore_errors=True)
        if self._root.exists(self._name):
            path.write_bytes(self._root.read(self._name))
        return path

    def _open(self) -> JournalStorage:
        with self._root.reporting(f"open {self._name} in"):
            storage = open_journal(self._file)
        for study in storage.get_all_studies():
            if set(study.directions) != {StudyDirection.MINIMIZE}:
                raise BrokenJournalError(f"its study {study.study_name!a} does not minimise")
        return storage


def open_journal(path: Path) -> JournalStorage:
    """Open a journal file, or begin one.

    Raises:
        BrokenJournalError: it is no regular file, its last line is torn, or Optuna cannot replay a record.
        OSError: it cannot be read.
    """
    if path.exists():
        _check_lines(path)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
    except OSError:
        raise
    except Exception as error:  # a strange record may meet any line of Optuna's
        raise BrokenJournalError(f"Optuna cannot replay it ({ascii(error)[:200]})") from error
    for study in storage.get_all_studies():
        if not all(isinstance(trial.user_attrs, dict) for trial in storage.get_all_trials(study._study_id, False)):
            raise BrokenJournalError(f"a trial of {study.study_name!a} has attributes without names")
    return storage


def _check_lines(path: Path) -> None:
    """Check that each line is JSON and ended: Optuna would append to a torn one, and never read either again."""
    if not path.is_file():
        raise BrokenJournalError("it is no regular file")
    with path.open("rb") as lines:
        number = 0
        while line := lines.readline(RECORD_LIMIT_BYTES):
            number += 1
            if not line.endswith(b"\n"):
                raise BrokenJournalError(f"line {number} is torn, or longer than {RECORD_LIMIT_BYTES:,} bytes")
            try:
                from_json(line)
            except ValueError as error:
                raise BrokenJournalError(f"line {number} is not JSON: {error}") from error

"""Where everything is in a storage root of results; no other module joins its paths.

tables/<table>/<study>/<unit>.parquet              rows of one unit
tables/<table>/<study>/merged/<number>-*.parquet   rows of many units, whose parts are gone
copies/                                            a copy of a table's merged files of many studies
artifacts/<kind>/<fingerprint>/                    trained models, saliency, and what else is made once
artifacts/checkpoints/<fingerprint>/               the state of an unfinished training
optuna/<study>.journal                             the search as optuna-dashboard shows it
locks/<study>.json                                 who writes a study
progress/<study>.json                              how far the run of a study is
queries/<name>.sql                                 queries that users keep
quarantine/                                        what was found broken, under its path and a name of its own
certificates/<model>-<commitment>.json             the certificates of models that were delivered
certificates/<commitment>.opening.json             what opens the commitments of a certificate
purges/<time>-<request>.json                       what was removed for a request, and when
"""

from dataclasses import dataclass
from typing import Final

from lethe.storage.root import QUARANTINE, StorageRoot

FOLDERS: Final = frozenset(
    {"tables", "copies", "artifacts", "optuna", "locks", "progress", "queries", "certificates", "purges", QUARANTINE}
)

FORMER_FOLDERS: Final = frozenset({"pool", "leases", "set-aside"})
"""What earlier versions wrote; nothing is read from there."""

_TABLE_FOLDERS: Final = {"calibrations": "packings"}
"""Tables that were renamed; their rows stay where earlier versions wrote them."""

CHECKPOINTS: Final = "checkpoints"
"""The folder, beside those of the kinds of artifacts, of the states of unfinished trainings."""

MERGED: Final = "merged"
"""The folder, in a study's folder of a table, of files with rows of many units."""

SUFFIX: Final = ".parquet"

_OPENING: Final = ".opening.json"


@dataclass(frozen=True)
class Layout:
    """The folders and files of a storage root. What is called a path is relative to ``root``."""

    root: StorageRoot

    @property
    def tables(self) -> StorageRoot:
        """The folder of all tables."""
        return self.root.child("tables")

    @property
    def copies(self) -> StorageRoot:
        """The folder of the tables' copies."""
        return self.root.child("copies")

    @property
    def journals(self) -> StorageRoot:
        """The folder of the searches' journals."""
        return self.root.child("optuna")

    @property
    def locks(self) -> StorageRoot:
        """The folder of the studies' writer locks."""
        return self.root.child("locks")

    @property
    def progress(self) -> StorageRoot:
        """The folder of how far runs are."""
        return self.root.child("progress")

    @property
    def queries(self) -> StorageRoot:
        """The folder of the queries that users keep."""
        return self.root.child("queries")

    @property
    def quarantine(self) -> StorageRoot:
        """The folder of what was found broken."""
        return self.root.child(QUARANTINE)

    @property
    def artifacts(self) -> StorageRoot:
        """The folder of all artifacts and checkpoints."""
        return self.root.child("artifacts")

    @property
    def certificates(self) -> StorageRoot:
        """The folder of the certificates of delivered models."""
        return self.root.child("certificates")

    @property
    def purges(self) -> StorageRoot:
        """The folder of the records of what was removed."""
        return self.root.child("purges")

    def half_written(self) -> dict[str, int]:
        """Return the paths of half-written files of artifacts and tables, with their sizes in bytes.

        Nobody writes these but a study's writer and its workers.
        """
        folders = {"artifacts": self.artifacts, "tables": self.tables}
        found = {above: folder.half_written() for above, folder in folders.items()}
        return {f"{above}/{name}": size for above, files in found.items() for name, size in files.items()}

    def certified(self) -> frozenset[str]:
        """Return the fingerprints of the models that have a certificate: those that were delivered."""
        return frozenset(name.partition("-")[0] for name in self.certificate_names())

    def certificate_names(self) -> list[str]:
        """Return the names of the files of certificates in their folder."""
        return [name for name in self.certificates.names(".json") if not name.endswith(_OPENING)]

    def table(self, table: str) -> StorageRoot:
        """Return the folder of a table."""
        return self.tables.child(_table_folder(table))

    def table_path(self, table: str, file: str) -> str:
        """Return the path of a table's file.

        Args:
            file: as ``<study>/<unit>.parquet``.
        """
        return f"tables/{_table_folder(table)}/{file}"

    def artifact(self, kind: str, fingerprint: str) -> StorageRoot:
        """Return the folder of an artifact."""
        return self.root.child(self.artifact_path(kind, fingerprint))

    def artifact_path(self, kind: str, fingerprint: str) -> str:
        """Return the path of an artifact's folder."""
        return f"artifacts/{kind}/{fingerprint}"

    def checkpoints(self, fingerprint: str) -> StorageRoot:
        """Return the folder of the state of an unfinished training."""
        return self.root.child(self.checkpoints_path(fingerprint))

    def checkpoints_path(self, fingerprint: str) -> str:
        """Return the path of the same folder."""
        return f"artifacts/{CHECKPOINTS}/{fingerprint}"

    def checkpointed(self) -> list[str]:
        """Name the fingerprints of unfinished trainings that left a state."""
        states = self.artifacts.child(CHECKPOINTS).names(recursive=True)
        return sorted({name.partition("/")[0] for name in states})


def journal_name(study: str) -> str:
    """Return the name of a study's journal in its folder."""
    return f"{study}.journal"


def lock_name(study: str) -> str:
    """Return the name of a study's writer lock in its folder."""
    return f"{study}.json"


def study_of_lock(name: str) -> str:
    """Return the study whose writer lock has this name."""
    return name.removesuffix(".json")


def certificate_name(model: str, list_commitment: str) -> str:
    """Return the name of the copy of a delivered model's certificate in the folder of certificates."""
    return f"{model}-{list_commitment[:16]}.json"


def opening_name(list_commitment: str) -> str:
    """Return the name, in the same folder, of the file that opens the commitments of a certificate."""
    return f"{list_commitment[:16]}{_OPENING}"


def progress_name(study: str) -> str:
    """Return the name of the file, in its folder, that says how far a study's run is."""
    return f"{study}.json"


def _table_folder(table: str) -> str:
    return _TABLE_FOLDERS.get(table, table)

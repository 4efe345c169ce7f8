"""Every exception that Lethe raises for its users. `except lethe.LetheError` catches them all:

    LetheError
    ├ InputError                    (a ValueError) a value that cannot be used
    │ ├ NotGroupedError             networks that cannot be trained in one step
    │ ├ PluginError                 a plug-in that cannot be used
    │ └ UnknownNameError            (a KeyError) a name that no method, network, metric ... has
    ├ StudyError                    a study file that cannot be read or used
    ├ YamlError                     text that is no YAML, or beyond the limits
    ├ SchemaError                   a file that a newer Lethe wrote
    ├ MalformedError                a small file that is not the JSON that was wanted
    ├ QueryError                    SQL that has no answer
    ├ UnnamedImagesError            images without names, since the data that rows were made from is not found
    ├ CorruptPartError              a Parquet file that is torn or changed
    ├ ForeignFileError              a Parquet file in the folder of another study
    ├ BrokenJournalError            an Optuna journal that cannot be replayed
    ├ BrokenSealError               a certificate or record whose bytes are not those that were sealed
    ├ PurgedError                   a run that would make again what was purged
    ├ StudyHeldError                another process runs the study
    ├ InterruptedStudyError         a study that was stopped before its end
    ├ DeliveryError                 a model that cannot be delivered
    ├ TrainingDivergedError         a training whose loss stopped being finite
    ├ LostWorkError                 work that lost its worker too often
    ├ DeviceError                   a worker that finds no GPU
    ├ ClosedError                   a report page that is asked for after it was closed
    ├ ClusterError                  a cluster that cannot be reached or used
    │ └ ClusterFailedError          a cluster that did not start, or failed during a run
    ├ StorageError                  a results folder or object store that cannot be used
    │ ├ UnfitFileError              no regular file, or one that is too large
    │ ├ StoreUnavailableError       an object store that stayed out of reach
    │ ├ TooLargeError               rows that would take more memory than they may
    │ ├ CorruptRowError             a row that holds what no Lethe writes
    │ ├ CorruptArtifactError        a model or other artifact that is torn or changed
    │ └ MissingArtifactError        an artifact that is gone since the run was planned
    └ UnlearningError               from the package `unlearning`
      ├ DataError                   data that cannot be found, fetched or used
      ├ TrainingFunctionError       a training function of the user's that raised, or returned no weights
      ├ CheckpointError             weights that cannot be read, or are those of another network
      ├ ExportError                 a network that cannot be exported as a program
      ├ MetricError                 a metric that raised
      ├ AuditError                  an audit that raised
      ├ DivergedError               (a ValueError) logits that are not finite
      └ ReplayError                 (a RuntimeError) a CUDA graph that computes something else than its kernels

`LetheError`, `InputError` and `UnlearningError` are defined in `unlearning.errors`, which knows nothing of `lethe`;
`SchemaError` is defined here, the others beside the code that raises them.
"""

from unlearning.errors import InputError, LetheError, UnlearningError

__all__ = ["InputError", "LetheError", "SchemaError", "UnlearningError"]


class SchemaError(LetheError):
    """A file that a newer Lethe wrote; the message says where it is."""

"""Every error that the project raises on purpose.

::

    AdaStarError
    ├── UserError               the caller can fix it; the command line exits with status 2
    │   ├── ConfigError         a key, a value or a combination of values
    │   ├── DataError           a data file or the observations in it
    │   ├── ModelError          a model directory, its tokenizer, or a name that cannot be loaded
    │   ├── DatabaseError       an unreachable server, a schema that is too new
    │   ├── HomeError           a data directory that is full, read-only or unusable
    │   └── RunConflictError    a run that another process owns, or that was started with other values
    └── StageError              a stage could not finish; the command line exits with status 1
        ├── NothingAccepted     no observation of an iteration has an accepted rationale
        ├── CheckpointError     a checkpoint's files are not the recorded ones
        ├── FileStoreError      the file store does not answer, or refuses
        ├── EngineError         a generator failed twice, or holds the wrong weights
        ├── OutOfMemory         a batch does not fit into memory
        └── LostLease           another process has taken over the run; this one must not write

Each message is one paragraph that names the field or file, the value, and what to do.
"""


class AdaStarError(Exception):
    """Base of every error that the project raises on purpose."""

    exit_status = 1


class UserError(AdaStarError):
    """Something that the caller can fix; nothing has been written."""

    exit_status = 2


class ConfigError(UserError):
    """A configuration key, a value or a combination of values is invalid."""


class DataError(UserError):
    """A data file, or an observation in it, is invalid."""


class ModelError(UserError):
    """A model or its tokenizer cannot be loaded or lacks something the method needs."""


class DatabaseError(UserError):
    """The database cannot be reached or holds a schema that this version does not know."""


class HomeError(UserError):
    """The data directory is full, read-only or otherwise unusable."""


class RunConflictError(UserError):
    """The run is owned by another process, or was started with other values."""


class StageError(AdaStarError):
    """A stage of an iteration could not finish."""


class NothingAccepted(StageError):
    """No observation of an iteration has an accepted rationale."""


class CheckpointError(StageError):
    """A checkpoint's files are missing or are not the recorded ones."""


class FileStoreError(StageError):
    """The file store cannot be reached, or does not let this process read or write."""


class EngineError(StageError):
    """A generation engine failed, was rebuilt and failed again, or holds the wrong weights."""


class OutOfMemory(StageError):
    """A batch does not fit into memory."""


class LostLease(StageError):
    """Another process has taken over the run, so this one must not write."""

"""What can go wrong with a storage root."""

from lethe.errors import LetheError


class StorageError(LetheError):
    """A storage root that cannot be used or lacks what it held; the message says what, where, and what to do."""


class UnfitFileError(StorageError):
    """What bears a file's name is no regular file, or is larger than any file of its kind; nothing of it was read."""


class StoreUnavailableError(StorageError):
    """An object store that stayed out of reach; what had finished is kept."""

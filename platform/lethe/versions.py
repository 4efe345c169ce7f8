"""Versions of what lies in a results place: what a newer Lethe wrote is neither guessed at nor taken for damage."""


class SchemaError(Exception):
    """A file that a newer Lethe wrote; the message says where it lies and what to do."""

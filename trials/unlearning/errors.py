"""The root of every exception that Lethe raises for its users, and of those that this library raises itself.

`LetheError` is defined here and not in `lethe`: the library does not know the platform that is built on it, and a class
can only derive from one that it knows. `lethe.LetheError` is this same class.
"""


class LetheError(Exception):
    """Anything that Lethe raises for a user to read; the message says what, where, and what to do."""


class InputError(LetheError, ValueError):
    """A value that a user passed and that cannot be used; the message says what was wanted and what it got."""


class UnlearningError(LetheError):
    """Any error of the library of data, networks, methods and metrics."""

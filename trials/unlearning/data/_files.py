"""Reading a file that a user named: only regular files, only up to a size, without waiting for a pipe."""

import os
import stat
from pathlib import Path

from unlearning.data._base import DataError

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def sought(path: Path) -> str:
    """Return where a missing relative path was looked for; empty for an absolute one."""
    return "" if path.is_absolute() else f"; a relative path counts from the current folder, {Path.cwd()}"


def read_regular(path: Path, limit_bytes: int, what: str = "file", *, missing: str | None = None) -> bytes:
    """Read a regular file whole, links followed.

    Args:
        path: the file.
        limit_bytes: the size above which it is refused unread.
        what: what error messages call the file.
        missing: what they add where there is none; by default where a relative path counts from.

    Raises:
        DataError: there is no such file, it is no regular file or too large, or reading fails.
    """
    try:
        _check(path, path.stat(), limit_bytes, what)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(descriptor)
            _check(path, status, limit_bytes, what)
            content = _content(descriptor, status.st_size, limit_bytes)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such {what}{sought(path) if missing is None else missing}") from error
    except OSError as error:
        raise DataError(f"{path}: the {what} cannot be read ({error.strerror})") from error
    _check_size(path, len(content), limit_bytes, what)
    return content


def _content(descriptor: int, size_bytes: int, limit_bytes: int) -> bytes:
    """Read to the end of the file, or a byte beyond the limit if it grew; a small one takes two calls."""
    parts, left = list[bytes](), limit_bytes + 1
    while left and (part := os.read(descriptor, min(left, size_bytes + 1))):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check(path: Path, status: os.stat_result, limit_bytes: int, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for is_kind, kind in KINDS if is_kind(status.st_mode)), "something else")
        raise DataError(f"{path}: wanted a regular file as {what}, got {kind}")
    _check_size(path, status.st_size, limit_bytes, what)


def _check_size(path: Path, size_bytes: int, limit_bytes: int, what: str) -> None:
    if size_bytes > limit_bytes:
        raise DataError(f"{path}: wanted a {what} of at most {limit_bytes:,} bytes, got {size_bytes:,}")

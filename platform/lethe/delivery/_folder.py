"""The folder of a delivery: written under a temporary name beside it, and renamed once it is complete."""

import fcntl
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from lethe.delivery._choose import DeliveryError
from lethe.storage.hashing import digest
from lethe.storage.root import StorageError, StorageRoot
from lethe.study import write_yaml

SETTING: Final = "setting.yaml"

LOAD: Final = '''\
"""classify: uint8 images (N, C, H, W), 0 to 255, to logits (N, K). `python -B` leaves the folder unchanged."""
import torch
classify = torch.export.load(__file__.replace("load.py", "program.pt2")).module()
'''
"""The file ``load.py``: it needs torch and the files beside it."""


@contextmanager
def whole_folder(target: Path, aside: str | None = None) -> Iterator[Path]:
    """Yield a new folder beside a name, and give it that name at the end; a failure leaves what there was.

    What a process that was killed left beside the name is deleted first. Of several that give the same name at once,
    one does.

    Args:
        aside: what a folder that has the name is called at the end, beside it; None: the name is free.

    Raises:
        DeliveryError: the name, or the one aside, was taken meanwhile; or the earlier folder stays aside.
        StorageError: the folder cannot be written.
    """
    beside, temporary = StorageRoot.at(target.parent), f".{target.name}.{uuid.uuid4().hex}.tmp"
    beside.child(temporary).make()
    with _held(beside, temporary, target.parent / temporary):
        _delete_leftovers(beside, target)
        try:
            yield target.parent / temporary
            if aside is None:
                _rename(beside, temporary, target.name)
            else:
                _replace(beside, temporary, target.name, aside)
        finally:
            with suppress(StorageError):
                beside.delete(temporary)


@contextmanager
def _held(beside: StorageRoot, name: str, folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with this process, where the file system has locks."""
    with beside.reporting(f"open {name} in"):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _delete_leftovers(beside: StorageRoot, target: Path) -> None:
    """Delete the unfinished folders of this name that no living process holds."""
    for name in beside.entries():
        if name.startswith(f".{target.name}.") and name.endswith(".tmp") and _is_abandoned(target.parent / name):
            beside.delete(name)


def _is_abandoned(folder: Path) -> bool:
    """Return whether nobody holds a folder's lock; False where the file system has none."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _replace(beside: StorageRoot, temporary: str, name: str, aside: str) -> None:
    """Rename a folder to the name of another, which is renamed before; where that cannot be, put the other one back.

    Raises:
        DeliveryError, StorageError: as `_rename`; or it could not be put back.
    """
    _rename(beside, name, aside)
    try:
        _rename(beside, temporary, name)
    except BaseException as error:
        try:
            _rename(beside, aside, name)
        except (DeliveryError, StorageError) as further:
            raise DeliveryError(
                f"{error}\nThe earlier delivery stays as {beside}/{aside}, since it could not be put back: {further}"
            ) from error
        raise


def _rename(beside: StorageRoot, name: str, to: str) -> None:
    if beside.child(to).entries():
        raise DeliveryError(
            f"{beside}/{to} was written meanwhile by another delivery; the same command goes on from it"
        )
    beside.rename(name, to)


def write_files(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files into a folder; return their SHA-256 by name.

    Raises:
        StorageError: one cannot be written.
    """
    root = StorageRoot.at(folder)
    for name, content in files.items():
        root.write(name, content)
    return {name: digest(content) for name, content in files.items()}


def setting_text(said: Mapping[str, Any]) -> bytes:
    """Write what a delivery is as YAML."""
    return write_yaml(dict(said)).encode()

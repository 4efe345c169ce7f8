"""The folder of a delivery: written under a temporary name beside it, and renamed once it is complete."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from lethe.delivery._choose import DeliveryError
from lethe.delivery.certificate import CERTIFICATE, Certificate, Claims, verify
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
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a new folder beside a name that is free, and give it that name at the end; a failure leaves nothing.

    Raises:
        StorageError: the folder cannot be written, or the name is taken meanwhile.
    """
    beside, temporary = StorageRoot.at(target.parent), f".{target.name}.{uuid.uuid4().hex}.tmp"
    beside.child(temporary).make()
    try:
        yield target.parent / temporary
        beside.rename(temporary, target.name)
    finally:
        with suppress(StorageError):
            beside.delete(temporary)


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


def delivered_before(target: Path) -> Certificate | None:
    """Return the certificate of an earlier delivery in a folder; None where there is no such folder, or an empty one.

    Raises:
        DeliveryError: the folder holds something else, or its files are not those that were delivered.
        SchemaError: a newer Lethe wrote the certificate.
        StorageError: the folder cannot be read.
    """
    files = StorageRoot.at(target).entries()
    if not files:
        return None
    if CERTIFICATE not in files:
        raise DeliveryError(f"{target} holds files and no delivery (no {CERTIFICATE}): name another folder with --out")
    verified = verify(target, Claims())
    if verified.certificate is None or not verified.sound:
        failed = " ".join(check.told for check in verified.checks if check.passed is False)
        raise DeliveryError(f"{target} is not what was delivered: {failed} Name another folder with --out")
    return verified.certificate

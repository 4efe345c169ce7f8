"""The folder of a delivery: written under a temporary name beside it, and renamed once it is complete."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lethe.delivery._choose import DeliveryError
from lethe.storage.hashing import digest
from lethe.storage.root import StorageError, StorageRoot
from lethe.study import YamlError, read_yaml, write_yaml

SETTING: Final = "setting.yaml"
SETTING_LIMIT_BYTES: Final = 1 << 20

LOAD: Final = '''\
"""classify takes uint8 images (N, C, H, W), 0 to 255 as stored, and returns float32 logits (N, K)."""
import torch
classify = torch.export.load(__file__.replace("load.py", "program.pt2")).module()
'''
"""The file ``load.py``: it needs torch and the files beside it."""


@dataclass(frozen=True)
class Setting:
    """What the file `setting.yaml` of a delivery says, as far as another one must know.

    Attributes:
        model: fingerprint of the unlearned model.
        confirmation_id: of its confirmation.
    """

    model: str
    confirmation_id: str


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
    """Write what a delivery is as the YAML that `delivered_before` reads."""
    return write_yaml(dict(said)).encode()


def delivered_before(target: Path) -> Setting | None:
    """Return what an earlier delivery in a folder is; None where there is no folder of the name, or an empty one.

    Raises:
        DeliveryError: the folder holds something else, or its files have changed since they were written.
        StorageError: it cannot be read.
    """
    folder = StorageRoot.at(target)
    if not folder.entries():
        return None
    try:
        said = read_yaml(folder.read(SETTING, SETTING_LIMIT_BYTES).decode())
        found, files = Setting(said["model"], said["confirmation_id"]), dict(said["files"])
    except (FileNotFoundError, UnicodeDecodeError, YamlError, KeyError, TypeError, ValueError) as error:
        raise DeliveryError(
            f"{target} holds files and no whole delivery ({SETTING} is missing or changed): name another folder "
            "with --out"
        ) from error
    for name, sha256 in files.items():
        if not folder.exists(name) or digest(folder.read(name)) != sha256:
            raise DeliveryError(
                f"{target}/{name} is not what was delivered: it was changed or deleted; name another folder with --out"
            )
    return found

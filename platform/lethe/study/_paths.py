"""Paths in a study's file count from the folder of the file, wherever the command is started."""

from pathlib import Path
from typing import Any, get_args, get_origin

from lethe.study._fields import alternatives, chosen, field_of, is_path, suffixes
from lethe.study._model import Study
from unlearning.models import NETWORKS


def beside(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a study's options with each relative path joined to the folder of its file.

    A path below a relative folder stays relative, so the options that are kept with the results do not depend on where
    a checkout or an unpacked job lies.
    """
    return dict(_joined(content, Study, folder))


def in_folder(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a study's options in which code that they import may lie in this folder, unless they name another."""
    network = content.get("network")
    imports = {
        "network": isinstance(network, dict) and NETWORKS.named_by(network) == "import",
        "training": isinstance(content.get("training"), dict) and "import" in content["training"],
    }
    further = {key: {"folder": str(folder), **content[key]} for key, is_import in imports.items() if is_import}
    return {**content, **further}


def _joined(value: Any, annotation: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        model = chosen(annotation, value)
        return {key: _in_field(model, key, one, folder) for key, one in value.items()}
    if isinstance(value, list):
        entries = [get_args(kind)[0] for kind in alternatives(annotation) if get_origin(kind) in (tuple, list)]
        return [_joined(one, entries[0], folder) for one in value] if entries else value
    if isinstance(value, str) and is_path(annotation):
        return _beside(value, folder)
    if isinstance(value, str) and any(value.endswith(one) for one in suffixes(annotation)):
        return _beside(value, folder)
    return value


def _beside(path: str, folder: Path) -> str:
    return path if path.startswith("~") else str(folder / path)


def _in_field(model: Any, key: object, value: Any, folder: Path) -> Any:
    field = field_of(model, key) if model else None
    return _joined(value, field.annotation, folder) if field else value

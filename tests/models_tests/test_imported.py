"""Networks by import: what is refused when a study is read, what identifies them, and how they travel."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from unlearning.families import Package
from unlearning.models import NETWORKS, Imported, package_of

Write = Callable[..., tuple[str, Path]]

SIMPLE = """
from torch import nn

DEPTH = 3


def build(classes, width=4):
    return nn.Sequential(nn.Flatten(), nn.Linear(144, width), nn.ReLU(), nn.Linear(width, classes))
"""


def imported(name: str, folder: Path | None = None, **options: Any) -> Imported:
    network = NETWORKS.validate({"import": name, "folder": folder, **options})
    assert isinstance(network, Imported)
    return network


def refusal(name: str, folder: Path, **options: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        imported(name, folder, **options)
    return str(caught.value)


def test_what_cannot_be_imported_or_called_is_refused_by_name(write_module: Write) -> None:
    module, folder = write_module(SIMPLE)
    assert f"import: there is no module nowhere_at_all; it is neither installed nor in {folder}" in refusal(
        "nowhere_at_all:build", folder
    )
    assert f"import: {module} has no bild; it has build" in refusal(f"{module}:bild", folder)
    assert f"import: wanted a class or a function, got {module}:DEPTH, a int" in refusal(f"{module}:DEPTH", folder)
    for name in ("build", f"{module}.build", f"{module}:", "1a:b"):
        assert "wanted a module and a name, as in mypkg.nets:build, got" in refusal(name, folder)
    assert "got __main__, the program that runs" in refusal("__main__:build", folder)


def test_arguments_must_fit_the_signature(write_module: Write) -> None:
    module, folder = write_module(SIMPLE)
    said = refusal(f"{module}:build", folder, args={"widht": 3})
    assert "args: got an unexpected keyword argument 'widht'; it takes (classes, width=4)" in said
    needed = write_module("def build(depth):\n    return None\n")[0]
    assert "args: missing a required argument: 'depth'; it takes (depth)" in refusal(f"{needed}:build", folder)
    assert "wanted values that JSON can write" in refusal(f"{module}:build", folder, args={"width": {1, 2}})


def test_a_module_that_raises_is_refused_with_what_it_said(write_module: Write) -> None:
    module, folder = write_module("import not_there_either\n")
    assert f"import: {module} cannot be imported: No module named 'not_there_either'" in refusal(f"{module}:a", folder)
    module, folder = write_module("raise RuntimeError('no licence')\n")
    assert f"import: {module} cannot be imported: RuntimeError: no licence" in refusal(f"{module}:a", folder)


def test_all_errors_are_listed_at_once(write_module: Write) -> None:
    said = refusal("nowhere_at_all:build", write_module(SIMPLE)[1], pretrained="gone.safetensors")
    assert "import: there is no module" in said
    assert "pretrained: gone.safetensors: the file of weights cannot be read" in said


def test_a_changed_file_is_another_network_and_needs_another_process(write_module: Write) -> None:
    module, folder = write_module(SIMPLE)
    other, _ = write_module(SIMPLE)
    before = imported(f"{module}:build", folder)
    assert imported(f"{module}:build", folder).code == before.code
    assert package_of(before) is None
    (folder / f"{module}.py").write_text(SIMPLE.replace("nn.ReLU()", "nn.GELU()"))
    assert f"import: {folder / module}.py has changed since this process imported it: start it anew" in refusal(
        f"{module}:build", folder
    )
    assert imported(f"{other}:build", folder).code != before.code


def test_what_lies_beside_a_module_and_is_imported_there_counts(write_module: Write) -> None:
    module, folder = write_module(f"from own_networks_parts.blocks import block\n{SIMPLE}")
    (folder / "own_networks_parts").mkdir()
    (folder / "own_networks_parts" / "__init__.py").touch()
    (folder / "own_networks_parts" / "blocks.py").write_text("import own_networks_more\nblock = 1\n")
    (folder / "own_networks_more.py").write_text("")
    (folder / "own_networks_unused.py").write_text("")
    files = imported(f"{module}:build", folder).origin.files
    assert sorted(files) == [
        f"{module}.py",
        "own_networks_more.py",
        "own_networks_parts/__init__.py",
        "own_networks_parts/blocks.py",
    ]


def test_where_it_lies_is_no_part_of_what_it_is(write_module: Write) -> None:
    module, folder = write_module(SIMPLE)
    network = imported(f"{module}:build", folder, args={"width": 3})
    assert network.identity == {"name": "import", "import": f"{module}:build", "args": {"width": 3}}
    assert network.title == f"{module}:build width 3"
    assert Imported.model_validate_json(network.model_dump_json()) == network


def test_two_modules_of_one_name_are_refused(write_module: Write, tmp_path: Path) -> None:
    module, folder = write_module(SIMPLE)
    imported(f"{module}:build", folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / f"{module}.py").write_text(SIMPLE)
    assert f"there are two modules {module}: " in refusal(f"{module}:build", tmp_path / "other")


def test_another_process_builds_it_from_the_files_that_were_read_here(write_module: Write) -> None:
    begin = "import own_networks_late\n\n\ndef build(classes):\n"
    module, folder = write_module(f"{begin}    from own_networks_late import net\n\n    return net(classes)\n")
    (folder / "own_networks_late.py").write_text(SIMPLE.replace("def build", "def net"))
    sent = pickle.dumps(imported(f"{module}:build", folder))
    (folder / f"{module}.py").write_text("raise RuntimeError('the file of another version')")
    (folder / "own_networks_late.py").unlink()
    code = (
        "import pickle, sys\n"
        "network = pickle.loads(sys.stdin.buffer.read())\n"
        "model = network.build(1, 2, seed=0)\n"
        f"print([tuple(one.shape) for one in model.parameters()], sys.modules[{module!r}].__file__)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == f"[(4, 144), (4,), (2, 4), (2,)] {module}.py\n"


def test_a_distribution_is_named_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the files, which nobody edits; the metadata are those that pip leaves."""
    package, notes = tmp_path / "own_networks_installed", tmp_path / "own_networks_installed-2.5.dist-info"
    package.mkdir()
    notes.mkdir()
    (package / "__init__.py").write_text(SIMPLE)
    (notes / "METADATA").write_text("Metadata-Version: 2.1\nName: own-networks-installed\nVersion: 2.5\n")
    (notes / "RECORD").write_text("own_networks_installed/__init__.py,,\n")
    code = (
        "from unlearning.models import NETWORKS, package_of\n"
        "network = NETWORKS.validate({'import': 'own_networks_installed:build'})\n"
        "print(network.code, '|', package_of(network), '|', network.origin.files)"
    )
    monkeypatch.syspath_prepend(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"own-networks-installed 2.5 | {Package('own-networks-installed', '2.5')} | {{}}\n"

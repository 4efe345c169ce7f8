"""Verifying a delivery: whatever changes after it was sealed is found, and nothing is needed but its folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.delivery import Delivered
from lethe.delivery.certificate import Claims, Verified, verify, write_certificate
from lethe.results.deliveries import opening_name
from lethe.storage.layout import Layout
from lethe.storage.seals import sealed
from lethe.storage.signing import new_key, public_path, read_public_key, read_signing_key

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(delivered: Delivered, key: Path) -> Path:
    """A signed delivery."""
    write_certificate(delivered, requester="Mrs Miller", key=key)
    return delivered.folder


@pytest.fixture
def expected(key: Path) -> Claims:
    return Claims(public_key=read_public_key(public_path(key)))


def failed(found: Verified) -> list[str]:
    return [check.name for check in found.checks if check.passed is False]


def test_a_delivery_is_sound_on_any_machine(folder: Path, expected: Claims, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    found = verify(tmp_path / "elsewhere", expected)
    assert found.sound
    assert [check.name for check in found.checks] == ["schema", "seal", "signature", "files"]
    assert all(check.passed for check in found.checks)


def test_a_changed_byte_anywhere_is_found(folder: Path, expected: Claims) -> None:
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        seal = content.rfind(b'"seal"') if path.name == "certificate.json" else len(content)
        for place in {*range(0, len(content), max(1, len(content) // 60)), *range(seal, len(content), 5)}:
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert not verify(folder, expected).sound, (path.name, place)
        path.write_bytes(content)
    assert verify(folder, expected).sound


@pytest.mark.parametrize("signed", [True, False])
def test_a_space_in_the_certificate_is_found_though_it_says_the_same(
    delivered: Delivered, key: Path, signed: bool
) -> None:
    write_certificate(delivered, requester=None, key=key if signed else None)
    path = delivered.folder / "certificate.json"
    path.write_bytes(path.read_bytes().replace(b'"n', b' "n', 1))
    found = verify(delivered.folder, Claims())
    assert failed(found) == ["seal"]
    assert found.checks[1].told == "The file is not what was sealed: its bytes have changed since it was written."


def test_files_that_are_added_missing_or_links_are_found(folder: Path, expected: Claims, tmp_path: Path) -> None:
    (folder / ".hidden").write_text("")
    (folder / "more").mkdir()
    (folder / "more" / "weights.safetensors").write_text("")
    (folder / "load.py").rename(tmp_path / "load.py")
    (folder / "load.py").symlink_to(tmp_path / "load.py")
    (folder / "certificate.html").unlink()
    told = [check.told for check in verify(folder, expected).checks if check.name == "files"]
    assert told == [
        ".hidden was added: the certificate does not list it.",
        "certificate.html is missing.",
        "load.py is no plain file.",
        "more/weights.safetensors was added: the certificate does not list it.",
    ]


def test_a_certificate_that_is_a_link_is_no_part_of_the_folder(folder: Path, expected: Claims, tmp_path: Path) -> None:
    (folder / "certificate.json").rename(tmp_path / "elsewhere.json")
    (folder / "certificate.json").symlink_to(tmp_path / "elsewhere.json")
    told = [check.told for check in verify(folder, expected).checks if check.name == "files"]
    assert told == ["certificate.json is no plain file."]


def test_without_a_public_key_a_signature_proves_integrity_alone(
    folder: Path, expected: Claims, tmp_path: Path
) -> None:
    """Somebody else changes the verdict and signs with a key of their own."""
    new_key(tmp_path / "other.pem")
    path = folder / "certificate.json"
    said = json.loads(path.read_text())
    del said["seal"]
    said["verdict"] = "no violation detected"
    path.write_bytes(sealed(said, read_signing_key(tmp_path / "other.pem")))
    alone = verify(folder, Claims())
    assert alone.sound
    [signature] = [check for check in alone.checks if check.name == "signature"]
    assert signature.passed is None
    assert "that proves integrity alone" in signature.told
    assert failed(verify(folder, expected)) == ["signature"]


def test_an_unsigned_certificate_passes_only_where_no_key_is_expected(delivered: Delivered, expected: Claims) -> None:
    write_certificate(delivered, requester=None, key=None)
    found = verify(delivered.folder, Claims())
    assert found.sound
    assert found.checks[2].told.startswith("UNSIGNED")
    assert failed(verify(delivered.folder, expected)) == ["signature"]


def test_the_holder_opens_the_commitments(delivered: Delivered, folder: Path, lethe_here: Command) -> None:
    commitment = json.loads((folder / "certificate.json").read_text())["request"]["list_commitment"]
    opening = Layout(delivered.root).certificates.local_path(opening_name(commitment))
    positions = delivered.model.parts.forgotten.hash
    code, said = lethe_here("verify", folder, "--opening", opening, "--requester", "Mrs Miller", "--list", positions)
    assert code == 0
    assert "ok     requester: The certificate is for this requester." in said
    assert "ok     list: The certificate is for the list of this hash." in said
    code, said = lethe_here("verify", folder, "--opening", opening, "--requester", "Mr Miller")
    assert code == 1
    assert "FAILED requester: The certificate is not for this requester." in said


def test_exit_codes_say_sound_changed_and_not_checked(folder: Path, key: Path, lethe_here: Command) -> None:
    public = public_path(key)
    assert lethe_here("verify", folder, "--public-key", public)[0] == 0
    (folder / "load.py").write_text("import os\n")
    code, said = lethe_here("verify", folder, "--public-key", public)
    assert code == 1
    assert "FAILED files: load.py has changed." in said
    assert lethe_here("verify", folder.parent / "nowhere")[0] == 2
    assert lethe_here("verify", folder.parent)[0] == 2
    code, said = lethe_here("verify", folder, "--public-key", folder / "load.py")
    assert code == 2
    assert "wanted an Ed25519 public key" in said
    assert lethe_here("verify", folder, "--requester", "Mrs Miller")[0] == 2


def test_the_checks_are_printed_as_a_document(folder: Path, key: Path, document: Callable[..., dict[str, Any]]) -> None:
    asked = ("verify", folder, "--public-key", public_path(key))
    answer = document(*asked)["answer"]
    assert (answer["path"], answer["sound"]) == (str(folder), True)
    assert {one["name"]: one["passed"] for one in answer["checks"]} == dict.fromkeys(
        ("schema", "seal", "signature", "files"), True
    )
    assert answer["certificate"]["verdict"] in ("violation", "inconclusive", "no violation detected")
    (folder / "load.py").unlink()
    found = document(*asked, exit_code=1)
    assert found["problems"] == ["files: load.py is missing."]
    assert not found["answer"]["sound"]


def test_a_certificate_of_a_newer_lethe_is_not_judged(folder: Path, lethe_here: Command) -> None:
    said = json.loads((folder / "certificate.json").read_text())
    del said["seal"]
    (folder / "certificate.json").write_bytes(sealed({**said, "schema_version": 2}, None))
    code, printed = lethe_here("verify", folder)
    assert code == 2
    assert "Upgrade lethe" in printed


def test_it_takes_no_torch_and_no_ray(folder: Path) -> None:
    code = """
import sys
from lethe.cli import app
app(["verify", sys.argv[1]], standalone_mode=False)
print(sorted({"torch", "ray", "optuna", "duckdb"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")

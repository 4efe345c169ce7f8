"""What is freed stays with the process; each case in a process of its own, for it holds for the life of one."""

import platform
import subprocess
import sys

import pytest

HELD_AFTER_FREEING = """
import sys
from pathlib import Path
import torch
from unlearning.engine.allocator import keep_freed_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "kept":
    assert keep_freed_memory()
before = held()
tensor = torch.ones(int(sys.argv[2]) << 20, dtype=torch.uint8)
assert held() - before > tensor.nbytes * 0.9
del tensor
print(held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
@pytest.mark.parametrize(
    ("choice", "megabytes", "stays"), [("kept", 30, True), ("kept", 64, False), ("given back", 64, False)]
)
def test_what_is_freed_stays_with_the_process_that_asked_for_it(choice: str, megabytes: int, stays: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD_AFTER_FREEING, choice, str(megabytes)], capture_output=True, text=True, check=True
    )
    assert (int(done.stdout) > megabytes * 0.9 * 2**20) is stays

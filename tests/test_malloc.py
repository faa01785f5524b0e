"""Freed memory is kept, so that the next large array needs no new pages."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from perception.malloc import keep_freed
if sys.argv[1] == "keep":
    keep_freed()
for _ in range(3):
    frame = np.ones(40_000_000, np.uint8)
    del frame
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
frame = np.ones(40_000_000, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's malloc")
def test_a_large_array_takes_the_pages_of_the_one_before() -> None:
    def new_pages(how: str) -> int:
        command = [sys.executable, "-c", PROGRAM, how]
        return int(
            subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, check=True).stdout
        )

    assert new_pages("keep") < 5 < new_pages("return")

"""Each process that asks has a ROS domain of its own, and leaves it when it ends, however it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, cast

from tests.ros import ROOT

ASK = """
import sys
from perception.demo.domain import own_domain
assert own_domain() == own_domain()
print(own_domain(), flush=True)
sys.stdin.read()
"""


def asking() -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", ASK], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, int(cast("IO[str]", process.stdout).readline())


def test_processes_side_by_side_have_different_domains() -> None:
    processes, domains = zip(*(asking() for _ in range(3)), strict=True)
    try:
        assert len(set(domains)) == 3 and all(42 <= domain < 100 for domain in domains)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    again, domain = asking()
    again.kill()
    again.communicate()
    assert domain <= max(domains)  # those that were killed have left theirs

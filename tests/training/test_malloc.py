"""Memory that is not there is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.fits import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not promised twice")
@pytest.mark.parametrize("limit", ["the machine's", "a container's"])
def test_memory_that_is_not_there_is_refused_and_not_the_end_of_the_process(
    limit: str, tmp_path: Path
) -> None:
    (tmp_path / "memory.max").write_text("max" if limit == "the machine's" else "1000000000")
    (tmp_path / "memory.stat").write_text("anon 600000000\nfile 300000000\n")
    free_kb = 400_000 if limit == "the machine's" else 40_000_000
    program = f"""
from pathlib import Path
import torch
from training import malloc
known = malloc._kilobytes
malloc._kilobytes = lambda path: {{**known(path), "MemAvailable": {free_kb}, "SwapFree": 0}}
malloc.CGROUP = Path({str(tmp_path)!r})
malloc.fail_at_the_end()
kept = [torch.ones(25_000_000)]  # 100 MB
try:
    for _ in range(8):
        kept.append(torch.ones(25_000_000))
except RuntimeError as error:
    print(len(kept), error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout[0] in "1234" and "can't allocate memory" in done.stdout

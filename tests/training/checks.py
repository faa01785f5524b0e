"""What the tests of checks share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from training.check import Kind, Problem

ROOT = Path(__file__).resolve().parents[2]


def listed(problems: list[Problem]) -> set[tuple[Kind, str]]:
    return {(problem.kind, problem.path.name) for problem in problems}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "check", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

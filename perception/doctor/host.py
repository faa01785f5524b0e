"""Host: where facts about a machine come from. A test gives the files and programs of another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perception.paths import natural_order

TIMEOUT_S = 60.0  # a loaded Pi needs several seconds to import a library


@dataclass(frozen=True)
class Ran:
    """A program that has ended.

    Attributes:
        code: its exit code; negative: the signal that ended it.
        out: what it printed, without white space around it.
        error: the last line that it wrote to stderr.
    """

    code: int
    out: str
    error: str = ""


Runner = Callable[[Sequence[str]], Ran | None]


def run(command: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> Ran | None:
    """Run a program; None if it is not installed or does not end in time."""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return Ran(done.returncode, done.stdout.decode(errors="replace").strip(), lines[-1] if lines else "")


@dataclass(frozen=True)
class Host:
    """A machine.

    Attributes:
        root: the folder that its files are in.
        run: runs its programs.
        environment: the variables of the shell.
    """

    root: Path = Path("/")
    run: Runner = run
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def path(self, name: str) -> Path:
        """Where one of its files is, which may be missing."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """The text of a file, without the zero byte that ends texts of the device tree; None: unreadable."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """The number in a file of /proc or /sys; None if there is none."""
        try:
            return int(self.read(name) or "")
        except ValueError:
            return None

    def find(self, pattern: str) -> list[str]:
        """The names of the files and folders that fit a pattern, counted up: zone2 before zone10."""
        found = self.root.glob(pattern.lstrip("/"))
        return sorted((f"/{path.relative_to(self.root)}" for path in found), key=natural_order)

    def python(self, code: str) -> Ran | None:
        """Run a piece of Python in a process of its own, which may crash, with this one's interpreter."""
        return self.run((sys.executable, "-c", code))

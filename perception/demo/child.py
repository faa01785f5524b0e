"""Child processes that have a log, and that never outlive this process."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perception.processes import tied_to_parent


@dataclass
class Child:
    """A running ``python -m`` with its log."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, name: str, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> Child:
        """Start ``python -m`` with arguments; all that it prints goes to the log."""
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*tied_to_parent(), sys.executable, "-m", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return cls(name, log, process)

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self.process.poll()

    def stop(self) -> None:
        """Ask it to end; kill it if it does not."""
        if self.code is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def last_lines(self, count: int = 12) -> str:
        """How its log ends, ready for an error message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] or ["(nothing)"]
        return "\n".join([f"the log of {self.name} ends:", *(f"  {line}" for line in lines)])

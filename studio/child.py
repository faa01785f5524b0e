"""Run one command, write what it prints into a file, and its code into another when it ends.

    python -m studio.child LOG CODE COMMAND …

It is beside the command and not in the runner, so that a code is not lost when the runner ends first.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from perception.paths import replacing


def main(arguments: list[str]) -> int:
    """Run it; the signals that end a command go to the command alone."""
    log, code, *command = arguments
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    with Path(log).open("ab") as file:
        try:
            ended = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            ).returncode
        except OSError as error:
            file.write(f"{error}\n".encode())
            ended = 127
    with replacing(Path(code)) as unfinished:
        unfinished.write_text(f"{ended}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

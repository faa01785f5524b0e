"""Processes: children that never outlive the process that started them."""

from __future__ import annotations

import os
import shutil


def tied_to_parent() -> list[str]:
    """A command prefix: Linux then ends the child even if this process is killed and cannot clean up.

    The child ends with the thread that started it, too.
    """
    setpriv = shutil.which("setpriv")
    if not setpriv:
        return []
    # If this process is killed before setpriv asks for the signal, the signal never comes.
    only_if_it_lives = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())]
    return [setpriv, "--pdeathsig", "TERM", *only_if_it_lives]

"""Terminal: the project's commands in a notebook, with what they print cut to its end."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Collection
from pathlib import Path
from unittest.mock import patch

from perception.commands import cli
from training import __main__ as training

_PROGRAMS = {"perception": cli.main, "training": training.main}
_WIDTH = "100"
# One for all commands, because the first one's logging goes on writing into it.
_said = io.StringIO()


def run(
    program: str, *words: str | int | float | Path, lines: int = 12, codes: Collection[int] = (0,)
) -> None:
    """Do what ``python -m program words`` does, and print this command and its last lines.

    It runs in this process, because a process of its own would import PyTorch each time.

    Args:
        program: perception or training.
        words: its arguments.
        lines: how many of those that it prints are shown.
        codes: exit codes with which the notebook goes on.

    Raises:
        RuntimeError: it ended with another exit code; the message has all that it printed.
    """
    print("$ python -m", program, *words)
    _said.seek(0)
    _said.truncate()
    plain = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": _WIDTH, "FORCE_COLOR": ""}
    with (
        patch.dict(os.environ, plain),
        patch("rich.console._is_jupyter", return_value=False),  # else tables go past what is redirected
        warnings.catch_warnings(),
        contextlib.redirect_stdout(_said),
        contextlib.redirect_stderr(_said),
    ):
        warnings.simplefilter("ignore")
        code = _PROGRAMS[program]([str(word) for word in words])
    said = [line.rstrip() for line in _said.getvalue().splitlines() if line.strip()]
    if code not in codes:
        raise RuntimeError(f"exit code {code}:\n" + "\n".join(said))
    print("\n".join(said[-lines:]))

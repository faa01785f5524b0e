"""Tables for the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from perception.report import tables


def test_a_narrow_terminal_cuts_no_number() -> None:
    narrow = io.StringIO()
    table = tables.numbers(("global accuracy, %, at severity", "1", "2"), [("rolling shutter", 97.43, 94.17)])
    Console(file=narrow, width=36).print(table)
    assert "97.43" in narrow.getvalue() and "94.17" in narrow.getvalue()

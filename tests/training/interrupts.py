"""Ctrl-C in the middle of a long command."""

from __future__ import annotations

from typing import Any

import pytest


def interrupt(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *at: int) -> list[tuple[Any, ...]]:
    """Let Ctrl-C come in certain calls of a function, counted from 1; gives the arguments of all calls."""
    whole = getattr(owner, name)
    calls: list[tuple[Any, ...]] = []

    def interrupted(*arguments: Any, **settings: Any) -> Any:
        calls.append(arguments)
        if len(calls) in at:
            raise KeyboardInterrupt
        return whole(*arguments, **settings)

    monkeypatch.setattr(owner, name, interrupted)
    return calls

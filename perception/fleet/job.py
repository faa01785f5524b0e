"""Job: what a command does with each drive, and what it says about it afterwards."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import perception

DONE, FAILED = "done.json", "failed.json"
_DIGITS = 16  # of a SHA-256


@dataclass(frozen=True)
class Given:
    """One of the drives.

    Attributes:
        number: its place among them, from 0.
        place: path or URL.
        name: of the folder for its results.
    """

    number: int
    place: str
    name: str


@dataclass(frozen=True)
class Did:
    """What became of a drive.

    Attributes:
        frames: that could be used.
        bad: frames that could not.
        unmet: expectations that do not hold.
        remarks: warnings that came up.
    """

    frames: int
    bad: int = 0
    unmet: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A drive in the ledger: the content of its done.json or failed.json.

    Attributes:
        name: of its folder.
        place: path or URL.
        state: ``done`` or ``failed``.
        settings: what its results depend on.
        did: what became of it.
        seconds: that the last try took.
        tries: how often it was begun.
        worker: host and process of the last try.
        error: why it failed.
    """

    name: str
    place: str
    state: Literal["done", "failed"]
    settings: Mapping[str, str]
    did: Did
    seconds: float
    tries: int
    worker: str
    error: str = ""

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """From what ``to_json`` gave.

        Raises:
            ValueError: it is something else.
        """
        try:
            content = json.loads(text)
            did = content.pop("did")
            return cls(did=Did(**did | {"remarks": tuple(did["remarks"])}), **content)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no entry of a ledger: {error}") from error


Work = Callable[[Given, Path, Path], Did]


class Job(Protocol):
    """What a command does with each drive; it travels to the workers by pickle."""

    def settings(self, number: int) -> Mapping[str, str]:
        """What the results of a drive depend on, beside the drive.

        Args:
            number: of the drive.
        """

    def opened(self) -> AbstractContextManager[Work]:
        """Open the models, once in each worker.

        Returns:
            What works on a drive: it gets the drive, where to read it, and a folder to make for its results.
            It raises an error of this package if the drive is broken.
        """


def settings(command: str, options: argparse.Namespace, names: Iterable[str]) -> dict[str, str]:
    """Options as they are compared when a command goes on; files count by their content.

    Args:
        command: its name.
        options: of the command line.
        names: of those that results depend on.
    """
    chosen = {name: _described(getattr(options, name)) for name in names}
    return {"command": command, "version": perception.__version__, **chosen}


def _described(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_described, value))
    if isinstance(value, str | Path) and Path(value).is_file():
        return f"{value} ({hashlib.sha256(Path(value).read_bytes()).hexdigest()[:_DIGITS]})"
    return "" if value is None else str(value)

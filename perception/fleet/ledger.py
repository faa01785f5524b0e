"""Ledger: which drives are done, by what is in the output folder, so that nobody else has to remember it.

OUT/NAME/            the results of a drive, with done.json or failed.json; it appears as a whole
OUT/.fleet-RUN/      what is under way: unfinished results, and how often each drive was begun
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perception.errors import InputError
from perception.fleet.job import DONE, FAILED, Entry, Given
from perception.paths import replacing

_log = logging.getLogger(__name__)

TRIES = 2  # for each drive
_UNDER_WAY = ".fleet-"


def this_worker() -> str:
    """Host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Ledger:
    """The output folder of one run of a command; all workers see it.

    Attributes:
        out: the folder.
        run: name of the run.
    """

    out: Path
    run: str

    @property
    def _own(self) -> Path:
        return self.out / f"{_UNDER_WAY}{self.run}"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The folder for this run alone; what is unfinished at the end is removed, and what killed runs left.

        Raises:
            InputError: another run is at work in it.
            OSError: it cannot be made.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with _alone(self.out):
            for left in self.out.glob(f"{_UNDER_WAY}*"):
                shutil.rmtree(left)
            self._own.mkdir()
            try:
                yield
            finally:
                shutil.rmtree(self._own, ignore_errors=True)

    def done(self, drive: Given, settings: Mapping[str, str]) -> Entry | None:
        """The entry of a drive that is done; None if it is to be done.

        Raises:
            InputError: its folder holds something else, which is not overwritten.
        """
        folder = self.out / drive.name
        if not folder.exists() or (folder / FAILED).exists():
            return None
        try:
            entry = Entry.from_json((folder / DONE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder}: exists already, without a whole {DONE}; remove it or write elsewhere"
            ) from error
        if entry.place != drive.place:
            raise InputError(
                f"{folder}: holds the results of {entry.place} and not of {drive.place}; write elsewhere"
            )
        for name in sorted({*entry.settings, *settings}):
            was, now = entry.settings.get(name, ""), settings.get(name, "")
            if was != now:
                raise InputError(
                    f"{folder}: done with {name} {was or '(none)'}, and now it is {now or '(none)'}; "
                    "remove it or write elsewhere"
                )
        return entry

    def begin(self, drive: Given) -> tuple[int, str]:
        """Count a try, before anything can go wrong in it.

        Returns:
            How many there were with this one, and the worker of the one before it.
        """
        with (self._own / f"{drive.name}.tries").open("a+", encoding="utf-8") as file:
            file.seek(0)
            before = file.read().splitlines()
            file.write(f"{this_worker()}\n")
        return len(before) + 1, before[-1] if before else ""

    def unfinished(self, drive: Given, number: int) -> Path:
        """Where the results of a try grow; it does not exist yet."""
        folder = self._own / f"{number}" / drive.name
        folder.parent.mkdir(exist_ok=True)
        return folder

    def finish(self, entry: Entry, unfinished: Path) -> None:
        """Write the entry into the results, as their last file, and show them as a whole.

        Raises:
            OSError: they cannot be written.
        """
        unfinished.mkdir(exist_ok=True)
        with replacing(unfinished / (DONE if entry.state == "done" else FAILED)) as path:
            path.write_text(entry.to_json() + "\n", encoding="utf-8", errors="replace")
        folder = self.out / entry.name
        if (folder / DONE).exists():  # of a worker that was taken for lost, and was not
            return
        if (folder / FAILED).exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder that two runs of one machine cannot hold at the same time."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{folder}: another command works in it; wait until that has ended, or write elsewhere"
            ) from error
        except OSError as error:  # a network drive may have no locks
            _log.warning("%s: cannot be locked (%s); start no second command in it meanwhile", folder, error)
        yield
    finally:
        os.close(held)

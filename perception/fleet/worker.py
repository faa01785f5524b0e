"""Worker: works on one drive after the other with models that it has opened once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from perception.engines.threads import cores, share_cores
from perception.errors import PerceptionError
from perception.fleet.inputs import fetched
from perception.fleet.job import Did, Entry, Given, Job
from perception.fleet.ledger import TRIES, Ledger, this_worker


@dataclass(frozen=True)
class Order:
    """What a worker is told.

    Attributes:
        job: what to do with each drive.
        drives: all of them.
        ledger: where the results go.
        folder: the command's working folder, where its relative paths begin.
        threads: how many a worker may use.
    """

    job: Job
    drives: tuple[Given, ...]
    ledger: Ledger
    folder: Path
    threads: int


def enter(folder: Path) -> None:
    """Go to a command's working folder, where its relative paths begin.

    Raises:
        PerceptionError: this machine has no such folder.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise PerceptionError(
            f"{this_worker()}: {folder}: {error.strerror}; the command's working folder must be on every "
            "machine of the cluster"
        ) from error


class Worker:
    """An actor of Ray Data: gets rows with the number of a drive, and gives rows with its entry.

    Args:
        order: what to do.

    Raises:
        PerceptionError: this machine cannot do it.
    """

    def __init__(self, order: Order) -> None:
        enter(order.folder)
        share_cores(max(1, cores() // order.threads))
        cv2.setNumThreads(order.threads)
        self._order = order
        self._stack = ExitStack()  # the process ends with its worker
        self._work = self._stack.enter_context(order.job.opened())

    def __call__(self, row: Mapping[str, int]) -> dict[str, str]:
        """Work on a drive, and try it again if that fails."""
        drive = self._order.drives[int(row["number"])]
        entry = self._try(drive)
        while entry is None:
            entry = self._try(drive)
        return {"entry": entry.to_json()}

    def _try(self, drive: Given) -> Entry | None:
        """One try; None if another one is due."""
        order = self._order
        number, before = order.ledger.begin(drive)
        unfinished = order.ledger.unfinished(drive, number)
        settings = order.job.settings(drive.number)
        entry = Entry(drive.name, drive.place, "failed", settings, Did(0), 0.0, number, this_worker())
        names = {str(unfinished): str(order.ledger.out / drive.name)}
        begin = time.perf_counter()
        if number > TRIES:  # those before have not come to an end
            error = f"the worker ended in the middle of it, {TRIES} times, as when memory is short"
            entry = replace(entry, error=error, tries=TRIES, worker=before)
        else:
            try:
                with fetched(drive.place) as path:
                    names[str(path)] = drive.place
                    did = self._work(drive, path, unfinished)
                remarks = tuple(_renamed(text, names) for text in did.remarks)
                entry = replace(entry, state="done", did=replace(did, remarks=remarks))
            except Exception as error:  # a drive may hold anything, and the others go on
                text = str(error) or type(error).__name__
                if not isinstance(error, (PerceptionError, OSError)):
                    text = f"{type(error).__name__}: {text}"
                entry = replace(entry, error=_renamed(text, names))
                if number < TRIES:
                    return None
        entry = replace(entry, seconds=round(time.perf_counter() - begin, 3))
        order.ledger.finish(entry, unfinished)
        return entry


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """A message with the names that whoever gave the drive knows."""
    for name, known in names.items():
        text = text.replace(name, known)
    return text

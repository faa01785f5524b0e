"""Jobs: the commands that the studio has been asked to run, in the order in which they were asked for.

A job is queued here, and ``studio.runner`` runs it, a process of its own that outlives the studio.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.database import Database

QUEUED, RUNNING, PAUSED = "queued", "running", "paused"
DONE, FAILED, STOPPED = "done", "failed", "stopped"
UNFINISHED = (QUEUED, RUNNING, PAUSED)
PAUSE, GO_ON, STOP = "pause", "go on", "stop"  # wishes
TAIL = 16_384  # bytes of a log that a page shows


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        number: in the order of asking.
        title: what it does, in words.
        kind: which room asked for it.
        argv: the command; no shell reads it.
        place: folder that it runs in.
        device: one job at a time runs on each; empty: beside all others.
        state: one of the states above.
        wish: what the runner shall do with it next; empty if nothing.
        about: what it is about, such as the id of a data set.
        pid: of its process; 0 if it has not started.
        born: when that process started, in the kernel's ticks, because numbers of processes return.
        created: seconds since 1970.
        started: likewise; 0 if it has not.
        ended: likewise.
        code: that it ended with; None if it has not.
    """

    number: int
    title: str
    kind: str
    argv: tuple[str, ...]
    place: Path
    device: str
    state: str
    wish: str
    about: str
    pid: int
    born: int
    created: float
    started: float
    ended: float
    code: int | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state not in UNFINISHED

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (self.ended or time.time()) - self.started if self.started else 0.0


class Jobs:
    """The queue.

    Args:
        database: where it is.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.logs = database.folder / "logs"
        self.logs.mkdir(exist_ok=True)

    def add(
        self,
        title: str,
        argv: Sequence[str],
        *,
        kind: str,
        place: Path | None = None,
        device: str = "",
        about: str = "",
    ) -> int:
        """Queue a command, and see that a runner is there. Returns its number."""
        with self.database.open() as connection:
            cursor = connection.execute(
                "INSERT INTO jobs (title, kind, argv, place, device, state, about, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    title,
                    kind,
                    json.dumps(list(argv)),
                    str(place or Path.cwd()),
                    device,
                    QUEUED,
                    about,
                    time.time(),
                ),
            )
            number = int(cursor.lastrowid or 0)
        self.wake()
        return number

    def wake(self) -> None:
        """Start a runner; it ends at once if there is one."""
        subprocess.Popen(
            [sys.executable, "-m", "studio.runner", str(self.database.folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.database.folder / "runner.log").open("ab"),
            start_new_session=True,
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def get(self, number: int) -> Job | None:
        """The job of a number."""
        return next(iter(self._select("WHERE id = ?", number)), None)

    def latest(self, *, kind: str = "", about: str = "", limit: int = 100) -> list[Job]:
        """The newest jobs first, of one room or about one thing if that is given."""
        return self._select(
            "WHERE (? = '' OR kind = ?) AND (? = '' OR about = ?) ORDER BY id DESC LIMIT ?",
            *(kind, kind, about, about, limit),
        )

    def unfinished(self) -> list[Job]:
        """Those that are not over, the oldest first."""
        return self._select("WHERE state IN (?, ?, ?) ORDER BY id", *UNFINISHED)

    def ask(self, number: int, wish: str) -> None:
        """Have the runner pause, go on with or stop a job; one that is over stays so."""
        with self.database.open() as connection:
            connection.execute(
                "UPDATE jobs SET wish = ? WHERE id = ? AND state IN (?, ?, ?)", (wish, number, *UNFINISHED)
            )
        self.wake()

    def change(self, number: int, **values: str | float | int | None) -> None:
        """Write down what became of a job."""
        names = ", ".join(f"{name} = ?" for name in values)
        with self.database.open() as connection:
            connection.execute(f"UPDATE jobs SET {names} WHERE id = ?", (*values.values(), number))

    def log(self, number: int) -> Path:
        """The file with all that it printed."""
        return self.logs / f"{number}.txt"

    def code(self, number: int) -> Path:
        """The file that holds the code that it ended with, once it has."""
        return self.logs / f"{number}.code"

    def tail(self, number: int) -> str:
        """The end of what it printed, with only the last state of each line that it wrote over."""
        try:
            with self.log(number).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - TAIL))
                data = file.read()
        except OSError:
            return ""
        lines = data.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
        return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)

    def reason(self, job: Job) -> str:
        """Why a job failed, in the words of its command, whose last line says it; empty if it did not."""
        if job.state != FAILED:
            return ""
        lines = [line.strip() for line in self.tail(job.number).splitlines()]
        return next((line for line in reversed(lines) if line), f"it ended with code {job.code}")

    def _select(self, condition: str, *values: str | int) -> list[Job]:
        with self.database.open() as connection:
            return [_job(row) for row in connection.execute(f"SELECT * FROM jobs {condition}", values)]


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    values["number"] = values.pop("id")
    values["argv"], values["place"] = tuple(json.loads(values["argv"])), Path(values["place"])
    return Job(**values)

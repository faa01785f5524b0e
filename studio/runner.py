"""The runner: takes jobs from the queue, one at a time on each device, until none is left.

    python -m studio.runner STATE

It is a process of its own, so trainings go on when the studio ends; and each job is one as well, so they go
on when the runner ends. The next runner finds them again by their process and when that started.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from studio.database import Database
from studio.jobs import DONE, FAILED, GO_ON, PAUSE, PAUSED, QUEUED, RUNNING, STOP, STOPPED, Job, Jobs

PERIOD_S = 0.3
IDLE_S = 3.0  # without a job, after which it ends
PATIENCE_S = (30.0, 60.0)  # after an interrupt, until it is asked to end, and until it is killed


class Runner:
    """Does one round at a time.

    Args:
        jobs: the queue.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._asked: dict[int, float] = {}  # when a job was interrupted

    def round(self) -> bool:
        """Look at all jobs once. Returns whether any is left."""
        left = self._jobs.unfinished()
        busy = set()
        for job in left:
            if job.state != QUEUED and self._watch(job):
                busy.add(job.device)
        for job in left:
            if job.state != QUEUED:
                continue
            if job.wish == STOP:
                self._jobs.change(job.number, state=STOPPED, ended=time.time(), wish="")
            elif not job.device or job.device not in busy:
                busy.add(job.device)
                self._start(job)
        return bool(left)

    def _start(self, job: Job) -> None:
        # A code of an earlier run of the same number would end it at once.
        self._jobs.code(job.number).unlink(missing_ok=True)
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "studio.child"),
                *(str(self._jobs.log(job.number)), str(self._jobs.code(job.number))),
                *job.argv,
            ],
            cwd=job.place,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": _with_own_folder(), "COLUMNS": "100"},
        )
        self._jobs.change(
            job.number, state=RUNNING, wish="", pid=child.pid, born=born(child.pid), started=time.time()
        )

    def _watch(self, job: Job) -> bool:
        """Do what was wished for. Returns whether the job is still there."""
        if self._has_ended(job):
            return False
        if job.wish == PAUSE and job.state == RUNNING:
            self._signal(job, signal.SIGSTOP)
            self._jobs.change(job.number, state=PAUSED, wish="")
        elif job.wish == GO_ON and job.state == PAUSED:
            self._signal(job, signal.SIGCONT)
            self._jobs.change(job.number, state=RUNNING, wish="")
        elif job.wish == STOP:
            self._stop(job)
        return True

    def _stop(self, job: Job) -> None:
        is_new = job.number not in self._asked
        waited = time.monotonic() - self._asked.setdefault(job.number, time.monotonic())
        if is_new:
            self._signal(job, signal.SIGCONT)
            self._signal(job, signal.SIGINT)
            self._jobs.change(job.number, state=RUNNING)
        elif waited > PATIENCE_S[1]:
            self._signal(job, signal.SIGKILL)
        elif waited > PATIENCE_S[0]:
            self._signal(job, signal.SIGTERM)

    def _has_ended(self, job: Job) -> bool:
        with suppress(ChildProcessError):  # an earlier runner started it
            os.waitpid(job.pid, os.WNOHANG)
        path = self._jobs.code(job.number)
        if not path.exists() and born(job.pid) == job.born:
            return False
        code = int(path.read_text()) if path.exists() else None
        state = STOPPED if job.wish == STOP else DONE if code == 0 else FAILED
        self._jobs.change(job.number, state=state, wish="", ended=time.time(), code=code)
        return True

    @staticmethod
    def _signal(job: Job, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(job.pid, number)


def born(pid: int) -> int:
    """When a process started, in the kernel's ticks; 0 if there is no such process, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def _with_own_folder() -> str:
    """PYTHONPATH by which a job that runs elsewhere finds this package."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))


def main(arguments: Sequence[str]) -> int:
    """Run until nothing is left to do, or end at once if another runner does it."""
    jobs = Jobs(Database(Path(arguments[0])))
    while True:
        with (jobs.database.folder / "runner.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            runner, idle = Runner(jobs), time.monotonic()
            while time.monotonic() - idle < IDLE_S:
                if runner.round():
                    idle = time.monotonic()
                time.sleep(PERIOD_S)
        # Whoever queues a job while the lock is still held finds this runner, and no other looks after it.
        if not jobs.unfinished():
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

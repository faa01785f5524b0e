"""Jobs run in turn, can be paused and stopped, and outlive the studio and the runner."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.database import Database
from studio.jobs import DONE, FAILED, GO_ON, PAUSE, PAUSED, RUNNING, STOP, STOPPED, Job, Jobs

PYTHON = sys.executable
PATIENT = [PYTHON, "-c", "import time; print('begun', flush=True); time.sleep(60)"]


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Database(tmp_path))


def until(jobs: Jobs, number: int, ready: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + 60
    while True:
        job = jobs.get(number)
        assert job is not None
        if ready(job):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def runners(jobs: Jobs) -> list[int]:
    """The processes of runners of this queue."""
    wanted = f"studio.runner\0{jobs.database.folder}\0"
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if wanted in read(path)]


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""


def test_what_a_command_prints_and_its_code_are_kept(jobs: Jobs) -> None:
    good = jobs.add("good", [PYTHON, "-c", "print('50 %\\r100 %'); print('é <b>')"], kind="test")
    bad = jobs.add("bad", [PYTHON, "-c", "import sys; sys.exit('broken')"], kind="test")
    missing = jobs.add("missing", ["/no/such/command"], kind="test")
    assert until(jobs, good, lambda job: job.is_over).state == DONE
    assert jobs.tail(good) == "100 %\né <b>\n"
    failed = until(jobs, bad, lambda job: job.is_over)
    assert (failed.state, failed.code, jobs.tail(bad)) == (FAILED, 1, "broken\n")
    assert jobs.reason(failed) == "broken"
    assert until(jobs, missing, lambda job: job.is_over).code == 127
    assert "No such file" in jobs.tail(missing)


def test_one_job_at_a_time_runs_on_a_device(jobs: Jobs) -> None:
    first = jobs.add("first", PATIENT, kind="test", device="gpu")
    second = jobs.add("second", [PYTHON, "-c", ""], kind="test", device="gpu")
    beside = jobs.add("beside", [PYTHON, "-c", ""], kind="test")
    until(jobs, beside, lambda job: job.state == DONE)
    waiting = jobs.get(second)
    assert waiting is not None and waiting.state == "queued"
    jobs.ask(first, STOP)
    assert until(jobs, first, lambda job: job.is_over).state == STOPPED
    until(jobs, second, lambda job: job.state == DONE)


def test_a_job_is_paused_and_goes_on(jobs: Jobs) -> None:
    count = "import time\nfor number in range(600): print(number, flush=True); time.sleep(0.02)"
    number = jobs.add("count", [PYTHON, "-c", count], kind="test")
    until(jobs, number, lambda job: len(jobs.tail(number)) > 20)
    jobs.ask(number, PAUSE)
    until(jobs, number, lambda job: job.state == PAUSED)
    time.sleep(0.2)
    before = jobs.tail(number)
    time.sleep(0.4)
    assert jobs.tail(number) == before
    jobs.ask(number, GO_ON)
    until(jobs, number, lambda job: job.state == RUNNING and jobs.tail(number) != before)
    jobs.ask(number, PAUSE)
    until(jobs, number, lambda job: job.state == PAUSED)
    jobs.ask(number, STOP)  # wakes it first, because it could not end otherwise
    assert until(jobs, number, lambda job: job.is_over).state == STOPPED


def test_a_job_that_waits_is_taken_back(jobs: Jobs) -> None:
    first = jobs.add("first", PATIENT, kind="test", device="gpu")
    second = jobs.add("second", PATIENT, kind="test", device="gpu")
    jobs.ask(second, STOP)
    assert until(jobs, second, lambda job: job.is_over).started == 0.0
    jobs.ask(first, STOP)
    until(jobs, first, lambda job: job.is_over)


def test_a_job_outlives_its_runner_and_its_code_is_found(jobs: Jobs, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"import time, os, sys\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)\nsys.exit(3)"
    number = jobs.add("wait", [PYTHON, "-c", wait], kind="test")
    until(jobs, number, lambda job: job.state == RUNNING)
    for pid in runners(jobs):
        os.kill(pid, signal.SIGKILL)
    until(jobs, number, lambda job: not runners(jobs))
    go.touch()
    until(jobs, number, lambda job: jobs.code(number).exists())
    jobs.wake()
    assert until(jobs, number, lambda job: job.is_over).code == 3


def test_a_job_that_was_killed_with_the_machine_has_failed(jobs: Jobs) -> None:
    number = jobs.add("killed", PATIENT, kind="test")
    job = until(jobs, number, lambda job: job.state == RUNNING and "begun" in jobs.tail(number))
    os.killpg(job.pid, signal.SIGKILL)
    ended = until(jobs, number, lambda job: job.is_over)
    assert (ended.state, ended.code) == (FAILED, None)

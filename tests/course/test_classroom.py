"""Processes beside a notebook are heard by no other notebook, and end with it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="a classroom is for ROS 2")

NOTEBOOK = """
import sys, time
from course.classroom import Classroom
room = Classroom(sys.argv[1])
child = room.start("http.server", "0")
print(room.domain, child.process.pid, flush=True)
if sys.argv[2] == "close":
    room.close()
    print(child.code, flush=True)
time.sleep(60)
"""


def notebook(logs: Path, what: str) -> subprocess.Popen:
    command = [sys.executable, "-c", NOTEBOOK, str(logs), what]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def line(process: subprocess.Popen) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while is_there(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_two_notebooks_have_two_domains_and_a_killed_one_leaves_no_process(tmp_path: Path) -> None:
    first, second = notebook(tmp_path / "a", "wait"), notebook(tmp_path / "b", "wait")
    try:
        (domain, child), (other_domain, other_child) = line(first), line(second)
        assert domain != other_domain
        assert is_there(int(child)) and is_there(int(other_child))
    finally:
        first.send_signal(signal.SIGKILL)
        second.send_signal(signal.SIGTERM)
        first.wait()
        second.wait()
    assert gone(int(child)) and gone(int(other_child))


def test_closing_ends_the_processes(tmp_path: Path) -> None:
    process = notebook(tmp_path, "close")
    try:
        _, child = line(process)
        assert line(process) != ["None"]
        assert gone(int(child))
        assert "http.server" in next(tmp_path.glob("*.log")).name
    finally:
        process.kill()
        process.wait()

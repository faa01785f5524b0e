"""The tape: what is written, what is dropped, and that a file with its name is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from perception.errors import InputError
from perception.recordings.bag import BagReader
from perception.recordings.results import stored
from perception.recordings.tape import Tape
from perception.topics import Qos
from tests.recordings.made import KIND, A, B, cdr
from tests.ros import ROOT

MIB = 2**20


def texts(path: Path, topic: str = A) -> list[tuple[int, str]]:
    with BagReader(path) as bag:
        return [(time_ns, message.data) for _, time_ns, message in bag.messages([topic])]


def before_the_cut(path: Path) -> list[int]:
    """The times of all that can be read of a bag that is cut off."""
    times: list[int] = []
    with BagReader(path) as bag, pytest.raises(InputError, match="cut short"):
        times.extend(time_ns for _, time_ns, _ in bag.raw([A]))
    return times


def noise(seed: int) -> bytes:
    """A text of a MiB that compression makes a little smaller."""
    return cdr(np.random.default_rng(seed).bytes(MIB // 2).hex())


def child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python in another process; it has the names of this file."""
    code = "import os, sys\nfrom tests.recordings.test_tape import *\n" + code
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_tape_is_one_file_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one" / "drive.mcap"
    qos = stored(Qos(reliable=False))
    with Tape(path) as tape:
        for number in range(5):
            tape.put(A, KIND, cdr(f"a{number}"), 10**12 + number * 10**8, qos)
        tape.put(B, KIND, cdr("b"), 300)
        assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == ["drive.mcap"]
    assert texts(path) == [(10**12 + number * 10**8, f"a{number}") for number in range(5)]
    assert texts(path, B) == [(300, "b")]
    with BagReader(path) as bag:
        assert list(bag.offered_qos(A)) == qos
    first, second = tape.tallies[A], tape.tallies[B]
    assert (first.kind, first.count, first.dropped, first.unreadable) == (KIND, 5, 0, 0)
    assert first.rate_hz == pytest.approx(10.0)
    assert first.size_bytes == sum(len(cdr(f"a{number}")) for number in range(5))
    assert (second.count, second.rate_hz) == (1, 0.0)
    assert tape.size_bytes == path.stat().st_size


def test_without_a_message_no_file_is_left(tmp_path: Path) -> None:
    with Tape(tmp_path / "drive.mcap") as tape:
        tape.put(A, KIND, b"\x00\x01\x00\x00", 1)
    assert tape.tallies[A].unreadable == 1
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_its_type_is_counted_and_not_written(tmp_path: Path) -> None:
    with Tape(tmp_path / "drive.mcap") as tape:
        for data in (cdr("one"), b"", b"\x00\x01\x00\x00\xff\xff\xff\xff", cdr("two")):
            tape.put(A, KIND, data, 1)
    assert [text for _, text in texts(tape.path)] == ["one", "two"]
    assert (tape.tallies[A].count, tape.tallies[A].unreadable, tape.tallies[A].dropped) == (2, 2, 0)


def test_what_is_too_much_is_dropped_by_topic(tmp_path: Path) -> None:
    small, large = cdr("small"), cdr("l" * 1000)
    with Tape(tmp_path / "drive.mcap", backlog_bytes=len(large) - 1) as tape:
        for _ in range(3):
            tape.put(A, KIND, small, 1)
            tape.put(B, KIND, large, 1)
    assert (tape.tallies[A].count, tape.tallies[A].dropped) == (3, 0)
    assert (tape.tallies[B].count, tape.tallies[B].dropped) == (0, 3)
    with Tape(tmp_path / "fits.mcap", backlog_bytes=len(large)) as tape:
        tape.put(B, KIND, large, 1)
    assert (tape.tallies[B].count, tape.tallies[B].dropped) == (1, 0)


def test_room_comes_back_when_a_message_is_written(tmp_path: Path) -> None:
    data = cdr("x" * 1000)
    with Tape(tmp_path / "drive.mcap", backlog_bytes=len(data)) as tape:
        for number in range(20):
            while tape._waiting_bytes:
                pass
            tape.put(A, KIND, data, number)
    assert (tape.tallies[A].count, tape.tallies[A].dropped) == (20, 0)


def test_a_full_tape_ends_at_its_limit_and_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "drive.mcap"
    with Tape(path, limit_bytes=2 * MIB) as tape:
        for number in range(12):
            tape.put(A, KIND, noise(number), number)
    assert tape.is_full
    assert 2 * MIB <= path.stat().st_size < 3.1 * MIB
    count = len(texts(path))
    assert count == tape.tallies[A].count
    assert 3 <= count <= 6


def test_names_that_are_taken_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken.mcap"
    taken.write_bytes(b"precious")
    with pytest.raises(InputError, match=r"taken\.mcap exists already; remove it"):
        Tape(taken)
    assert taken.read_bytes() == b"precious"
    with pytest.raises(
        InputError, match=r"drive: a recording is an MCAP file; give a name that ends in \.mcap"
    ):
        Tape(tmp_path / "drive")
    (tmp_path / "cut.part").mkdir()
    with pytest.raises(InputError, match=r"cut\.part: left by a recording that was cut off"):
        Tape(tmp_path / "cut.mcap")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cut.part", "taken.mcap"]


def test_of_a_killed_recording_what_was_written_can_be_read(tmp_path: Path) -> None:
    code = """
tape = Tape(Path(sys.argv[1]))
for number in range(4):
    tape.put(A, KIND, noise(number), number)
while tape._waiting_bytes:
    pass
os._exit(9)
"""
    assert child(code, tmp_path / "drive.mcap").returncode == 9
    assert not (tmp_path / "drive.mcap").exists()
    assert before_the_cut(tmp_path / "drive.part")[:3] == [0, 1, 2]  # the last may be in memory in part


def test_a_disk_that_takes_no_more_is_an_error_and_keeps_what_is_there(tmp_path: Path) -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2500000, 2500000))
try:
    with Tape(Path(sys.argv[1])) as tape:
        for number in range(8):
            tape.put(A, KIND, noise(number), number)
except OSError as error:
    print(error, tape.tallies[A].count)
"""
    done = child(code, tmp_path / "drive.mcap")
    assert f"File too large: '{tmp_path}/drive.part'" in done.stdout, done
    assert [file.name for file in tmp_path.iterdir()] == ["drive.part"]
    seen = before_the_cut(tmp_path / "drive.part")
    assert seen and seen == list(range(len(seen)))

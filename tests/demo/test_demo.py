"""The demo as a user starts it, with small models on a small bag."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from perception.demo.recorder import IMAGE, ROIS, TOPICS
from perception.recordings.bag import BagReader
from tests.bags import compressed, rois, text, write_bag
from tests.conftest import solid
from tests.ros import PATIENCE_S, ROOT

FRAMES = 6


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Each frame has a red and a green sign; the last frame's truth says otherwise."""
    frame = np.hstack([solid("Red"), solid("Green")])
    messages = []
    for stamp in range(FRAMES):
        classes = ("2", "1") if stamp < FRAMES - 1 else ("0", "0")
        boxes = [(5.0, 5.0, 55.0, 35.0, classes[0]), (65.0, 5.0, 115.0, 35.0, classes[1])]
        messages += [(ROIS, rois(boxes, stamp)), (IMAGE, compressed(frame, stamp))]
    # Slowly, because a node that is late by a frame's time drops one, as it should.
    return write_bag(tmp_path / "bag", messages, every_ns=500_000_000)


class Demo:
    """A running demo."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "perception", "demo", *map(str, arguments)]
        wide = os.environ | {"COLUMNS": "160"}  # in 80, a name is wrapped beside times of a second or more
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=wide, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        out, error = self.process.communicate(timeout=3 * PATIENCE_S)
        return self.process.returncode, out, error

    def child(self, name: str) -> int:
        """Wait for a child process; its id."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for pid in _children(self.process.pid):
                if name in _command(pid):
                    return pid
            time.sleep(0.05)
        pytest.fail(f"no {name} within {PATIENCE_S:.0f} s")


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.process.kill()


@pytest.fixture
def arguments(
    signs_model: Path, detector_model: Path, segmentation_model: Path, tmp_path: Path
) -> list[object]:
    models = ["--signs", signs_model, "--detector", detector_model, "--segmentation", segmentation_model]
    return [*models, "--out", tmp_path / "out"]


def test_the_whole_demo(bag: Path, arguments: list[object], tmp_path: Path) -> None:
    code, out, error = Demo("--bag", bag, *arguments).end()
    assert code == 0, error
    assert all(topic in out for topic in TOPICS)
    assert (
        f"signs: {2 * FRAMES} of {2 * FRAMES} found, {2 * FRAMES} of them read, {2 * FRAMES - 2} right; "
        "0 read where the bag has no box" in out
    )
    with BagReader(tmp_path / "out" / "recording") as recording:
        assert recording.topics == TOPICS
        masks = [message for _, _, message in recording.messages(["/segmentation/mask"])]
    assert {(mask.height, mask.width, mask.header.frame_id) for mask in masks} == {(40, 120, "front")}
    assert 2 in masks[0].data[:60] and 1 in masks[0].data[60:120]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<img " in page and "Signs over time" in page and "segmentation infer" in page


def test_a_recording_of_someone_else_is_not_removed(
    bag: Path, arguments: list[object], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    theirs = bag.rename(tmp_path / "out" / "recording")
    code, _, error = Demo("--bag", theirs, *arguments).end()
    assert code == 1
    assert "recording exists already" in error and (theirs / "metadata.yaml").exists()


def test_a_node_that_dies_is_named(bag: Path, arguments: list[object], demos: list[Demo]) -> None:
    demos.append(Demo("--bag", bag, *arguments))
    _kill(demos[0].child("perception.nodes.segmentation"))
    code, _, error = demos[0].end()
    assert code == 1
    assert "segmentation ended with exit code -9" in error and "the log of segmentation ends" in error
    assert "Traceback" not in error


def test_a_topic_that_stays_empty_is_named(arguments: list[object], tmp_path: Path) -> None:
    frame = solid("Red", 100, 100)
    messages = [(IMAGE, compressed(frame, stamp, keep=300)) for stamp in range(3)]
    messages += [(ROIS, rois([(0.0, 0.0, 50.0, 50.0, "2")], stamp)) for stamp in range(3)]
    code, _, error = Demo("--bag", write_bag(tmp_path / "bag", messages), *arguments).end()
    assert code == 1
    assert "nothing came on /signs/classification" in error and "JPEG is cut short" in error


def test_no_child_outlives_the_demo(
    bag: Path, arguments: list[object], demos: list[Demo], tmp_path: Path
) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        demo = Demo("--bag", bag, *arguments)
        demos.append(demo)
        children = [demo.child("perception.nodes.signs"), demo.child("perception.nodes.segmentation")]
        if number == signal.SIGKILL:  # in the middle of its start, it would leave half a port in /dev/shm
            _wait_for("listening on", tmp_path / "out" / "logs" / "segmentation.log")
        demo.process.send_signal(number)
        demo.end()
        end = time.monotonic() + PATIENCE_S
        while any("perception.nodes" in _command(pid) for pid in children):
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_bag_without_the_cameras_topics(arguments: list[object], tmp_path: Path) -> None:
    code, _, error = Demo(
        "--bag", write_bag(tmp_path / "bag", [("/chatter", text("hello"))]), *arguments
    ).end()
    assert code == 1
    assert f"no {IMAGE} and no {ROIS}; it has /chatter" in error


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:  # it has ended
        return ""


def _wait_for(words: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not (log.exists() and words in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)

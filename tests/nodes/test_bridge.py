"""An encoding that is unknown goes through cv_bridge, where that is installed."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification

from perception import FrameError
from perception.encodings import ENCODINGS
from perception.frames import from_image
from perception.nodes.bridge import Bridge
from tests.ros import RED, image, solid, values

# It takes the place of cv_bridge, because few machines have the real one: it reads an encoding of its own.
READS_INVERTED = """
import numpy as np

class CvBridge:
    def imgmsg_to_cv2(self, msg, desired_encoding):
        if msg.encoding not in ("rgb8", "inverted8"):
            raise TypeError(f"Unrecognized image encoding [{msg.encoding}]\\nand more")
        pixels = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)
        return pixels[..., ::-1] if msg.encoding == "rgb8" else 255 - pixels
"""
CRASHES = READS_INVERTED.replace("if msg", "__import__('os').abort()\n        if msg", 1)
FOR_ANOTHER_NUMPY = "raise SystemError('initialization of cv_bridge_boost failed')"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Lets a source be cv_bridge, here and in processes."""
    real = sys.modules.pop("cv_bridge", None)

    def install(source: str) -> None:
        (tmp_path / "cv_bridge.py").write_text(source)
        paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    sys.modules.pop("cv_bridge", None)
    if real is not None:
        sys.modules["cv_bridge"] = real


def test_a_node_answers_such_frames_and_says_so_once(peer, start, signs_model, installed):
    installed(READS_INVERTED)
    process = start("signs", "boxes:=frame", f"model:={signs_model}")
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")

    send(image(255 - solid(RED), stamp=1, encoding="inverted8"))
    peer.until(lambda: len(answers) == 1, "an answer")
    send(image(255 - solid(RED), stamp=2, encoding="inverted8"))
    peer.until(lambda: len(answers) == 2, "another answer")
    status = peer.health("signs", lambda status: values(status)["processed"] == "2")

    assert [answer.results[0].class_id for answer in answers] == ["2", "2"]
    assert values(status)["cv_bridge"] == "inverted8" and values(status)["bad"] == "0"
    _, output = process.stop()
    assert output.count("'inverted8' is read by cv_bridge") == 1


def test_one_that_crashes_costs_the_frame_and_not_the_node(peer, start, signs_model, installed):
    """As one that was compiled for another numpy does."""
    installed(CRASHES)
    process = start("signs", "boxes:=frame", f"model:={signs_model}")
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")

    arrays = peer.collect(DiagnosticArray, "/diagnostics", 10)
    send(image(solid(RED), encoding="inverted8"))
    status = peer.health("signs", lambda status: "1 bad frames" in status.message, arrays)
    send(image(solid(RED), stamp=9))
    peer.until(lambda: answers, "an answer to a good frame")

    assert "'inverted8' is unknown" in status.message and "cv_bridge, which may read it" in status.message
    assert "crashes (signal 6); does its numpy fit?" in status.message
    assert values(status)["bad.encoding"] == "1" and "cv_bridge" not in values(status)
    assert process.alive and answers[0].header.stamp.sec == 9


def refused(said: list[str]) -> str:
    """What is said of an encoding that only cv_bridge could know, the same at the second frame."""
    bridge = Bridge(said.append)
    message = SimpleNamespace(height=2, width=2, encoding="p010", step=4, data=bytes(8), is_bigendian=0)
    reasons = set()
    for _ in range(2):
        with pytest.raises(FrameError, match="'p010' is unknown") as error:
            from_image(message, fallback=bridge)
        assert error.value.reason == "encoding"
        reasons.add(str(error.value))
    assert bridge.encodings == ()
    return reasons.pop()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (READS_INVERTED, r"cv_bridge does not read it either: Unrecognized image encoding \[p010\]$"),
        ("import no_such_thing", "does not load: ModuleNotFoundError: No module named 'no_such_thing'$"),
        (FOR_ANOTHER_NUMPY, "does not load: SystemError: initialization of cv_bridge_boost failed$"),
        ("class CvBridge:\n    def __init__(self): raise SystemExit(3)", "does not load: $"),
        (CRASHES, r"crashes \(signal 6\); does its numpy fit\?$"),
    ],
)
def test_whatever_cv_bridge_does_costs_the_frame_only(source, words, installed):
    installed(source)
    said: list[str] = []
    assert re.search(words, refused(said))
    assert said == []


def test_without_cv_bridge_the_reason_names_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert refused([]).endswith("; cv_bridge, which may read it, is not installed here")


def test_the_real_one_reads_what_is_made_unknown_here(monkeypatch):
    pytest.importorskip("cv_bridge", reason="cv_bridge comes with ROS 2 only")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    message = SimpleNamespace(
        height=6, width=8, encoding="rgb8", step=24, data=pixels.tobytes(), is_bigendian=0
    )
    expected = from_image(message)
    monkeypatch.delitem(ENCODINGS, "rgb8")
    said: list[str] = []
    bridge = Bridge(said.append)
    for _ in range(2):
        assert np.array_equal(from_image(message, fallback=bridge), expected)
    assert said == ["encoding 'rgb8' is read by cv_bridge"] and bridge.encodings == ("rgb8",)

"""Ten thousand broken images among good ones: every good one is answered, and nothing else happens."""

from __future__ import annotations

import array
import threading
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from perception.encodings import ENCODINGS
from perception.nodes.diagnostics import Health
from perception.nodes.signs import SignsNode
from tests.ros import GREEN, PATIENCE_S, RED, image, jpeg, solid, stamped, values

COUNT, APART = 5000, 5  # broken ones of each transport; after so many comes a good one
NUMBERS = (0, 1, 2, 3, 7, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
WORDS = (
    "",
    "bgr",
    "BGR8",
    "8UC3",
    "8UC4",
    "32FC1",
    "bayer_rggb16",
    "jpeg",
    "\0",
    "\N{PILE OF POO}",
    "x" * 999,
)
SUFFIXES = (".jpg", ".png", ".tiff", ".webp")


class Done(Health):
    """Lets the test wait until the worker is done with a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = threading.Semaphore(0)

    def bad(self, reason: str, message: str) -> None:
        super().bad(reason, message)
        self.frames.release()

    def failed(self, message: str) -> None:
        super().failed(message)
        self.frames.release()

    def processed(self, latency_ms: Mapping[str, float]) -> None:
        super().processed(latency_ms)
        self.frames.release()


class Noting(SignsNode):
    """Keeps what it answered: stamp → label."""

    def __init__(self, **options: Any) -> None:
        self.answered: dict[int, str] = {}
        super().__init__(**options)
        self.health = Done()

    def answer(self, job, frame):
        result = super().answer(job, frame)
        self.answered[job.image.header.stamp.sec] = result[0].label
        return result


def broken_image(rng: np.random.Generator) -> Image:
    """An image of any encoding, in which up to three things are wrong."""
    height, width = rng.integers(1, 40, 2).tolist()
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    message = image(frame, encoding=str(rng.choice([*ENCODINGS, *WORDS])))
    for _ in range(rng.integers(1, 4)):
        what = rng.integers(6)
        number = int(rng.choice(NUMBERS)) if rng.random() < 0.7 else int(rng.integers(2**32))
        if what < 3:
            setattr(message, ("height", "width", "step")[what], number)
        elif what == 3:
            message.encoding = str(rng.choice(WORDS))
        elif what == 4:
            message.data = array.array("B", rng.bytes(int(rng.integers(4000))))
        else:
            message.is_bigendian = int(rng.integers(256))
    return message


def broken_file(rng: np.random.Generator) -> CompressedImage:
    """A small picture file in which some bytes are others, or missing, or too many."""
    height, width = rng.integers(2, 40, 2).tolist()
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    data = bytearray(cv2.imencode(str(rng.choice(SUFFIXES)), frame)[1].tobytes())
    for _ in range(rng.integers(1, 9)):
        # Headers are short, and most of what can go wrong is in them.
        at = int(rng.integers(min(len(data), 64) if rng.random() < 0.5 else len(data))) if data else 0
        what = rng.integers(4)
        if what == 0:
            data[at : at + 1] = rng.bytes(1)
        elif what == 1:
            data[at : at + 4] = rng.bytes(4)
        elif what == 2:
            del data[at:]
        else:
            data[at:at] = rng.bytes(int(rng.integers(20)))
    return CompressedImage(format=str(rng.choice(WORDS)), data=array.array("B", bytes(data)))


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_of_broken_images_among_good_ones_all_good_ones_are_answered(
    peer, signs_model, transport: str
) -> None:
    topic, broken, good = {
        "raw": ("/image_raw", broken_image, image),
        "compressed": ("/image_raw/compressed", broken_file, jpeg),
    }[transport]
    given = {"model": str(signs_model), "boxes": "frame", "image_transport": transport}
    node = Noting(parameter_overrides=[Parameter(name, value=value) for name, value in given.items()])
    node.trigger_configure()
    node.trigger_activate()
    (camera,) = [one for one in node.subscriptions if one.topic_name == topic]
    rng = np.random.default_rng(31)
    expected: dict[int, str] = {}

    def send(message: Any, stamp: int) -> None:
        camera.callback(stamped(message, stamp))
        assert node.health.frames.acquire(timeout=PATIENCE_S)

    for number in range(COUNT):
        send(broken(rng), -1 - number)
        if number % APART == APART - 1:
            color, label = ((RED, "Red"), (GREEN, "Green"))[number % 2]
            send(good(solid(color), number), number)
            expected[number] = label
    status = node.health.status(
        state="active", fault="", stale_after_s=9.0, input_gap="", rois_gap="", output_gaps=()
    )
    node.destroy_node()

    assert {stamp: label for stamp, label in node.answered.items() if stamp >= 0} == expected
    counts = {
        name: int(values(status)[name]) for name in ("frames_in", "processed", "bad", "errors", "dropped")
    }
    assert counts["errors"] == counts["dropped"] == 0
    assert counts["frames_in"] == counts["processed"] + counts["bad"] == COUNT + len(expected)
    assert counts["bad"] > 0.6 * COUNT

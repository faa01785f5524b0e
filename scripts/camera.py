"""A camera of 60 Hz that sees the scenes of the demo's bag: frames on image_raw, until a signal comes.

    python -m scripts.camera 640x480 --signs
    python -m scripts.camera 1280x720 --jpeg          # on image_raw/compressed

It publishes reliably, and the newest frame wins.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.signals import SignalHandlerOptions

from perception import boxes, topics
from perception.frames import from_compressed
from perception.nodes.messages import make, message_class, qos_profile
from perception.nodes.middleware import use_fast_dds_profile
from perception.paths import shared
from perception.recordings.bag import BagReader

HZ = 60.0
SCENES, STEPS = 8, 8  # pictures: scenes, and positions in each
SCENE_S = 2.0
APART_NS = 1_000_000_000  # between two scenes of the bag, at least
ROAD = 0.7  # of a picture's height: where signs end above it, the rest can be shown without them
SHIFT = 0.02  # how far a scene moves, as a share of the picture
IMAGE, ROIS = "/camera/image_raw/compressed", "/camera/rois"


def publish(size_hw: tuple[int, int], *, signs: bool, jpeg: bool) -> None:
    """Publish pictures at 60 Hz until Ctrl-C, then print how many a second there were."""
    kind, topic = topics.CAMERA["compressed" if jpeg else "raw"]
    message_of = compressed if jpeg else raw
    messages = [message_of(picture) for picture in pictures(size_hw, signs=signs)]
    use_fast_dds_profile()
    # What a shell runs in the background ignores Ctrl-C otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C is Python's then
    node = rclpy.create_node("camera")
    publisher = node.create_publisher(message_class(kind), topic, qos_profile(topics.NEWEST_RELIABLE))
    begin, count = time.monotonic(), 0
    due = begin
    try:
        while True:
            seconds = time.monotonic() - begin
            scene = int(seconds / SCENE_S) % SCENES
            step = round((seconds % SCENE_S) / SCENE_S * (STEPS - 1))
            message = messages[scene * STEPS + step]
            message.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(message)
            count += 1
            due = max(due + 1 / HZ, time.monotonic() - 1 / HZ)  # a camera does not catch up
            time.sleep(max(0.0, due - time.monotonic()))
    except KeyboardInterrupt:
        print(f"{count / (time.monotonic() - begin):.1f} frames a second were sent")


def raw(picture: NDArray[np.uint8]) -> Any:
    """A picture as sensor_msgs/Image."""
    height, width = picture.shape[:2]
    layout = {"height": height, "width": width, "step": 3 * width, "encoding": "bgr8"}
    return make(topics.IMAGE, **layout, data=picture)


def compressed(picture: NDArray[np.uint8]) -> Any:
    """A picture as sensor_msgs/CompressedImage."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return make(topics.COMPRESSED_IMAGE, format="bgr8; jpeg compressed bgr8", data=data)


def pictures(size_hw: tuple[int, int], *, signs: bool) -> Iterator[NDArray[np.uint8]]:
    """Scenes of the demo's bag, each at several positions; without signs, only the road below them."""
    height, width = size_hw
    with BagReader(shared("demo/street")) as bag:
        shown: dict[int, Any] = {}
        lowest: dict[int, float] = {}
        for topic, _, message in bag.messages([IMAGE, ROIS]):
            stamp = topics.stamp_ns(message)
            if topic == ROIS:
                lowest[stamp] = float(boxes.corners(boxes.rois(message.detections))[:, 3].max())
            elif not shown or stamp - max(shown) > APART_NS:
                shown[stamp] = message
    count = 0
    for stamp, message in shown.items():
        scene = from_compressed(message)
        if not signs:
            if lowest[stamp] > ROAD * scene.shape[0]:
                continue
            scene = scene[round(lowest[stamp]) + 10 :]
        margin = round(SHIFT * scene.shape[1])
        for step in range(STEPS):
            left = margin * step // (STEPS - 1)
            part = scene[:, left : scene.shape[1] - margin + left]
            yield np.ascontiguousarray(
                cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8
            )
        count += 1
        if count == SCENES:
            return


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (height, width)."""
    width, height = map(int, text.split("x"))
    return height, width


def main() -> None:
    """Read the arguments and publish."""
    parser = argparse.ArgumentParser(prog="python -m scripts.camera", description="A camera of 60 Hz.")
    parser.add_argument("size", type=size, metavar="WIDTHxHEIGHT")
    parser.add_argument("--signs", action="store_true", help="with signs in view")
    parser.add_argument("--jpeg", action="store_true", help="CompressedImage in place of Image")
    options = parser.parse_args()
    publish(options.size, signs=options.signs, jpeg=options.jpeg)


if __name__ == "__main__":
    main()

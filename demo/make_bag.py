"""Make the demo's bag: street frames of GTSDB as a camera would have sent them, with their sign boxes.

    python demo/make_bag.py GTSDB_FOLDER demo/street

GTSDB_FOLDER holds the frames as JPEG (00000.jpg …) and gt.txt (file;x1;y1;x2;y2;class in pixels).
The frames' JPEG bytes go into the bag as they are, each several times, as from a car that stands: what
follows signs from frame to frame has to see them more than once.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from perception import topics
from perception.boxes import upright
from perception.recordings.bag import BagWriter
from perception.recordings.results import header, make, stored

# Chosen by eye: legible signs of many classes, in town, on country roads and motorways.
FRAMES = (
    1, 2, 4, 11, 23, 39, 40, 53, 74, 77, 83, 91, 94, 129, 138, 183, 195, 204, 214, 224, 229, 236,
    260, 262, 273, 274, 275, 276, 281, 295, 298, 310, 319, 379, 408, 423, 425, 426, 445, 516,
)  # fmt: skip
START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
HELD = 3  # frames of each scene; zstd stores the second and third in a few bytes
APART_NS = 100_000_000_000  # between the stamps of two scenes, because no sign is in both
FRAME_ID = "camera"

Box = tuple[int, int, int, int, int]


def main() -> None:
    """Read the arguments and write the bag."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gtsdb", type=Path)
    parser.add_argument("bag", type=Path)
    options = parser.parse_args()
    boxes = read_boxes(options.gtsdb / "gt.txt")
    with BagWriter(options.bag) as bag:
        for index in range(len(FRAMES) * HELD):
            scene, repetition = divmod(index, HELD)
            name = f"{FRAMES[scene]:05d}"
            time_ns = START_NS + index * PERIOD_NS  # without the pauses, or a player would wait
            own_header = header(START_NS + scene * APART_NS + repetition * PERIOD_NS, FRAME_ID)
            data = np.frombuffer((options.gtsdb / f"{name}.jpg").read_bytes(), np.uint8)
            image = make(topics.COMPRESSED_IMAGE, header=own_header, format="jpeg", data=data)
            bag.write("/camera/rois", rois(own_header, boxes[name]), time_ns, qos=stored(topics.RELIABLE))
            bag.write("/camera/image_raw/compressed", image, time_ns, qos=stored(topics.RELIABLE))
    count = sum(len(boxes[f"{number:05d}"]) for number in FRAMES)
    print(f"{options.bag}: {len(FRAMES)} scenes, {HELD} frames of each; {count} boxes in the scenes")


def read_boxes(path: Path) -> dict[str, list[Box]]:
    """Frame name → its boxes (x1, y1, x2, y2, class)."""
    boxes: defaultdict[str, list[Box]] = defaultdict(list)
    with path.open(newline="") as file:
        for name, x1, y1, x2, y2, class_id in csv.reader(file, delimiter=";"):
            boxes[Path(name).stem].append((int(x1), int(y1), int(x2), int(y2), int(class_id)))
    return boxes


def rois(own_header: Any, boxes: list[Box]) -> Any:
    """The boxes as a detector would send them, with the true class as their only hypothesis."""
    detections = []
    for index, (x1, y1, x2, y2, class_id) in enumerate(boxes):
        truth = make("vision_msgs/msg/ObjectHypothesis", class_id=str(class_id), score=1.0)
        roi = upright((float(x1), float(y1), float(x2), float(y2)), str(index))
        detections.append(topics.detection(make, roi, [truth], own_header))
    return make(topics.DETECTIONS, header=own_header, detections=detections)


if __name__ == "__main__":
    main()

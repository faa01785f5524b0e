"""Tasks of the hackathon: a track for each, and how long a heat lasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from course.artwork import BLACK, BLUE, MIDDLE, RED, SIGNS, WHITE, Drawing
from course.hackathon.world import Board, Track
from perception.frames import Frame

BESIDE_M = 0.32  # of a sign from the middle of the lane


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: of its file of expectations, without the suffix.
        track: what the car drives on.
        seconds: of a heat.
    """

    name: str
    track: Track
    seconds: float

    @property
    def expected(self) -> Path:
        """The file that scores a heat."""
        return Path(__file__).with_name(f"{self.name}.yaml")


def speed_limit(picture: Frame) -> None:
    """Draw a 30 with tall, narrow digits, as on streets, because the shipped model reads those."""
    cv2.circle(picture, MIDDLE, 108, RED, -1, cv2.LINE_AA)
    cv2.circle(picture, MIDDLE, 84, WHITE, -1, cv2.LINE_AA)
    text = np.full((160, 320, 3), 255, np.uint8)
    cv2.putText(text, "30", (40, 130), cv2.FONT_HERSHEY_SIMPLEX, 3, BLACK, 10, cv2.LINE_AA)
    rows, columns = (np.flatnonzero((text < 200).any(axis=(axis, 2))) for axis in (1, 0))
    digits = text[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    place = (slice(MIDDLE[1] - 46, MIDDLE[1] + 46), slice(MIDDLE[0] - 50, MIDDLE[0] + 50))
    picture[place] = np.minimum(picture[place], cv2.resize(digits, (100, 92)))


def pit_stop(picture: Frame) -> None:
    """Draw a sign that no street has: a white P in a blue disc."""
    cv2.circle(picture, MIDDLE, 108, BLUE, -1, cv2.LINE_AA)
    cv2.putText(picture, "P", (70, 180), cv2.FONT_HERSHEY_SIMPLEX, 5.5, WHITE, 14, cv2.LINE_AA)


# The signs of this race, for a model that knows all of them.
SHEET: Mapping[str, Drawing] = {
    "30": speed_limit,
    "no entry": SIGNS["no entry"],
    "pit stop": pit_stop,
    "priority": SIGNS["priority"],
    "stop": SIGNS["stop"],
}
TASKS = {
    task.name: task
    for task in (
        Task("1_stop_line", Track(stop_m=2.5, boards=(Board(SIGNS["stop"], 2.9, -BESIDE_M),)), 12.0),
        Task(
            "2_speed_sign",
            Track(boards=(Board(speed_limit, 1.4, -BESIDE_M), Board(SIGNS["priority"], 3.6, -BESIDE_M))),
            14.0,
        ),
        Task("3_lane", Track(bend=0.5), 10.0),
        Task("4_unknown_sign", Track(boards=(Board(pit_stop, 2.4, -BESIDE_M),)), 6.0),
        Task("5_floor", Track(bend=-0.5, floor=(60.0, 70.0, 150.0), stripes=0.35, rough=0.15), 10.0),
    )
}

"""Artwork of the course's signs, drawn as a team draws its own: each on white paper, 240×240 px."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from perception import pictures
from perception.frames import Frame

Drawing = Callable[[Frame], None]

SIDE = 240
MIDDLE = (SIDE // 2, SIDE // 2)
RED, BLUE, GREEN, YELLOW = (30, 20, 200), (180, 80, 10), (60, 130, 30), (20, 200, 250)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def draw(folder: Path, signs: Mapping[str, Drawing]) -> list[str]:
    """Write one picture for each sign, and return their names in the order of their class ids."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in signs.items():
        picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
        drawing(picture)
        pictures.write(folder / f"{name}.png", picture)
    return sorted(signs)


def _disc(picture: Frame, radius: int, color: tuple[int, ...]) -> None:
    cv2.circle(picture, MIDDLE, radius, color, -1, cv2.LINE_AA)


def _polygon(picture: Frame, corners: int, radius: float, color: tuple[int, ...], turn: float) -> None:
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    points = np.column_stack([np.cos(angles), np.sin(angles)]) * radius + MIDDLE
    cv2.fillPoly(picture, [points.round().astype(np.int32)], color, cv2.LINE_AA)


def _write(picture: Frame, text: str, scale: float, color: tuple[int, ...]) -> None:
    thick = round(4 * scale)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    at = (MIDDLE[0] - width // 2, MIDDLE[1] + height // 2)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick, cv2.LINE_AA)


def _limit(number: str) -> Drawing:
    def drawing(picture: Frame) -> None:
        _disc(picture, 104, RED)
        _disc(picture, 78, WHITE)
        _write(picture, number, 2.6, BLACK)

    return drawing


def _stop(picture: Frame) -> None:
    _polygon(picture, 8, 110, RED, np.pi / 8)
    _write(picture, "STOP", 1.9, WHITE)


def _no_entry(picture: Frame) -> None:
    _disc(picture, 104, RED)
    cv2.rectangle(picture, (45, 105), (195, 135), WHITE, -1)


def _priority(picture: Frame) -> None:
    for radius, color in ((112, BLACK), (106, WHITE), (78, YELLOW)):
        _polygon(picture, 4, radius, color, 0)


def _square(text: str, color: tuple[int, ...]) -> Drawing:
    def drawing(picture: Frame) -> None:
        cv2.rectangle(picture, (20, 20), (220, 220), color, -1)
        _write(picture, text, 5, WHITE)

    return drawing


def _arrow(turn: float) -> Drawing:
    def drawing(picture: Frame) -> None:
        _disc(picture, 104, BLUE)
        along = np.array([np.cos(turn), np.sin(turn)])
        tail, tip = (tuple((MIDDLE + sign * 62 * along).round().astype(int).tolist()) for sign in (-1, 1))
        cv2.arrowedLine(picture, tail, tip, WHITE, 20, cv2.LINE_AA, tipLength=0.45)

    return drawing


def _yield(picture: Frame) -> None:
    _polygon(picture, 3, 122, RED, np.pi / 2)
    _polygon(picture, 3, 70, WHITE, np.pi / 2)


def _bus(picture: Frame) -> None:
    _disc(picture, 104, GREEN)
    _disc(picture, 86, YELLOW)
    _write(picture, "H", 4.2, GREEN)


SIGNS: Mapping[str, Drawing] = {
    "30": _limit("30"),
    "50": _limit("50"),
    "80": _limit("80"),
    "left": _arrow(np.pi),
    "no entry": _no_entry,
    "parking": _square("P", BLUE),
    "priority": _priority,
    "right": _arrow(0.0),
    "stop": _stop,
}
OTHERS: Mapping[str, Drawing] = {"bus stop": _bus, "hospital": _square("H", BLUE), "yield": _yield}

"""Artwork of eight signs, drawn as a team draws them: on white paper."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

RED, BLUE, YELLOW, WHITE, BLACK = (20, 20, 200), (190, 80, 10), (20, 200, 250), (255, 255, 255), (0, 0, 0)
SIDE = 240
MIDDLE = (SIDE // 2, SIDE // 2)


def paper() -> np.ndarray:
    return np.full((SIDE, SIDE, 3), 255, np.uint8)


def polygon(picture: np.ndarray, corners: int, radius: float, turn: float, color: tuple[int, ...]) -> None:
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    points = np.column_stack([np.cos(angles), np.sin(angles)]) * radius + MIDDLE
    cv2.fillPoly(picture, [points.round().astype(np.int32)], color, cv2.LINE_AA)


def write(picture: np.ndarray, text: str, scale: float, color: tuple[int, ...]) -> None:
    thick = round(4 * scale)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    at = (MIDDLE[0] - width // 2, MIDDLE[1] + height // 2)
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick, cv2.LINE_AA)


def stop() -> np.ndarray:
    picture = paper()
    polygon(picture, 8, 105, np.pi / 8, RED)
    write(picture, "STOP", 1.9, WHITE)
    return picture


def limit(number: str) -> np.ndarray:
    picture = paper()
    cv2.circle(picture, MIDDLE, 100, RED, -1, cv2.LINE_AA)
    cv2.circle(picture, MIDDLE, 76, WHITE, -1, cv2.LINE_AA)
    write(picture, number, 2.6, BLACK)
    return picture


def no_entry() -> np.ndarray:
    picture = paper()
    cv2.circle(picture, MIDDLE, 100, RED, -1, cv2.LINE_AA)
    cv2.rectangle(picture, (45, 105), (195, 135), WHITE, -1)
    return picture


def priority() -> np.ndarray:
    picture = paper()
    polygon(picture, 4, 112, 0, BLACK)
    polygon(picture, 4, 106, 0, WHITE)
    polygon(picture, 4, 78, 0, YELLOW)
    return picture


def parking() -> np.ndarray:
    picture = paper()
    cv2.rectangle(picture, (20, 20), (220, 220), BLUE, -1)
    write(picture, "P", 5, WHITE)
    return picture


def crossing() -> np.ndarray:
    picture = paper()
    cv2.rectangle(picture, (20, 20), (220, 220), BLUE, -1)
    polygon(picture, 3, 95, -np.pi / 2, WHITE)
    cv2.circle(picture, (120, 85), 9, BLACK, -1, cv2.LINE_AA)
    for end in ((120, 125), (100, 155), (140, 155)):
        start = (120, 85) if end == (120, 125) else (120, 125)
        cv2.line(picture, start, end, BLACK, 9, cv2.LINE_AA)
    return picture


def one_way() -> np.ndarray:
    picture = paper()
    cv2.rectangle(picture, (10, 70), (230, 170), BLUE, -1)
    cv2.arrowedLine(picture, (40, 120), (195, 120), WHITE, 18, cv2.LINE_AA, tipLength=0.2)
    return picture


SIGNS = {
    "crossing": crossing(),
    "no_entry": no_entry(),
    "one_way": one_way(),
    "parking": parking(),
    "priority": priority(),
    "speed_limit_30": limit("30"),
    "speed_limit_50": limit("50"),
    "stop": stop(),
}
LABELS = tuple(name.replace("_", " ") for name in SIGNS)


def write_signs(folder: Path, names: tuple[str, ...] = tuple(SIGNS)) -> Path:
    """A picture of each sign in a folder."""
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / f"{name}.png"), SIGNS[name])
    return folder


def on_transparent(picture: np.ndarray) -> np.ndarray:
    """The same without paper around the sign: BGRA, transparent where white reaches in from the corner."""
    flooded = picture.copy()
    cv2.floodFill(flooded, None, (0, 0), (255, 0, 255), (6, 6, 6), (6, 6, 6))
    return np.dstack([picture, np.where((flooded == (255, 0, 255)).all(axis=2), 0, 255).astype(np.uint8)])

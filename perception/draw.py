"""Draw: results as pictures. Frames are BGR, palettes are RGB; inputs are never altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame, check
from perception.spec import Color
from perception.tasks import UNLABELLED

Rectangle = tuple[int, int, int, int]  # x1, y1, x2, y2

KNOWN, UNKNOWN = (90, 210, 60), (170, 170, 170)  # BGR: things of a known class, and all others

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 21  # pixels of a capital at scale 1
LEGEND_SHARE = 0.4  # of a picture's width that the list of classes may cover
_PANEL = (32, 32, 32)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def overlay_mask(
    frame: Frame,
    class_ids: NDArray[np.uint8],
    labels: Sequence[str],
    palette: Sequence[Color],
    *,
    alpha: float = 0.5,
    legend: bool = True,
) -> Frame:
    """Colour a frame by class.

    Args:
        frame: (H, W, 3) uint8 BGR.
        class_ids: uint8, scaled to (H, W) if it has another size; UNLABELLED pixels are not coloured.
        labels: class names.
        palette: one (R, G, B) per label.
        alpha: 0 shows the frame alone, 1 the colours alone.
        legend: name the colours, with the share of each.

    Returns:
        A new (H, W, 3) uint8 BGR.

    Raises:
        FrameError: the frame is not such an array.
    """
    check(frame)
    height, width = frame.shape[:2]
    if class_ids.shape != (height, width):
        nearest = cv2.resize(class_ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        class_ids = np.asarray(nearest, np.uint8)
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(palette), 0] = np.asarray(palette, np.uint8)[:, ::-1]
    colors = cv2.applyColorMap(class_ids, table)
    picture = np.asarray(cv2.addWeighted(frame, 1.0 - alpha, colors, alpha, 0.0), np.uint8)
    counts = count_class_ids(class_ids)
    if counts[UNLABELLED]:
        cv2.copyTo(frame, (class_ids == UNLABELLED).view(np.uint8), picture)
    if legend:
        _draw_legend(picture, counts, labels, palette)
    return picture


@dataclass(frozen=True)
class Mark:
    """One thing to draw: a box and its name.

    Attributes:
        box: (x1, y1, x2, y2) in pixels; None writes the name into the corner, without a box.
        caption: the name.
        color: (B, G, R) of the box and of the plate behind the name.
    """

    box: tuple[float, float, float, float] | None
    caption: str
    color: Color


def overlay_boxes(frame: Frame, marks: Sequence[Mark]) -> Frame:
    """Draw each box and a line to its name.

    Args:
        frame: (H, W, 3) uint8 BGR.
        marks: what to draw.

    Returns:
        A new (H, W, 3) uint8 BGR.

    Raises:
        FrameError: the frame is not such an array.
    """
    check(frame)
    picture: Frame = frame.copy()
    scale = _text_scale(picture.shape[0])
    line = 1 + round(scale)
    rectangles = [_whole(mark.box or (0.0, 0.0, 0.0, 0.0)) for mark in marks]
    pad = max(2, _text_size("X", scale)[1] // 3)
    plates: list[Rectangle] = []
    for mark, box in zip(marks, rectangles, strict=True):
        text_width, text_height = _text_size(mark.caption, scale)
        size = (text_width + 2 * pad, text_height + 2 * pad)
        plates.append(_plate(box, *size, picture, [*rectangles, *plates]))
    for mark, box, plate in zip(marks, rectangles, plates, strict=True):
        if mark.box is not None:
            cv2.rectangle(picture, box[:2], box[2:], _BLACK, line + 2, cv2.LINE_AA)
            cv2.rectangle(picture, box[:2], box[2:], mark.color, line, cv2.LINE_AA)
        start = _nearest(plate, ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2))
        cv2.line(picture, start, _nearest(box, start), mark.color, line, cv2.LINE_AA)
    for mark, plate in zip(marks, plates, strict=True):  # above all lines
        cv2.rectangle(picture, plate[:2], plate[2:], mark.color, cv2.FILLED)
        _write(picture, mark.caption, (plate[0] + pad, plate[3] - pad), scale, _BLACK)
    return picture


def count_class_ids(class_ids: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How many pixels have each of the 256 ids: (256,)."""
    return np.asarray(cv2.calcHist([class_ids], [0], None, [256], [0, 256]), np.float32).ravel()


def _whole(box: tuple[float, float, float, float]) -> Rectangle:
    x1, y1, x2, y2 = box
    return round(x1), round(y1), round(x2), round(y2)


def _nearest(box: Rectangle, point: tuple[int, int]) -> tuple[int, int]:
    """The point of a box that is nearest to another point."""
    x1, y1, x2, y2 = box
    return max(x1, min(point[0], x2)), max(y1, min(point[1], y2))


def _plate(box: Rectangle, width: int, height: int, picture: Frame, taken: Sequence[Rectangle]) -> Rectangle:
    """Where to write a name: near its box where it covers nothing, the nearer the better; else on the box."""
    x1, y1, x2, y2 = box
    gap, middle = height // 4, (y1 + y2 - height) // 2
    beside = [(x1, y1 - height), (x2 + gap, middle), (x1, y2), (x1 - gap - width, middle)]
    # Where boxes are close together: up to three rows further above or below, also to the side.
    columns = (x1, x2 + gap, x1 - gap - width)
    away = [(x, y) for k in (1, 2, 3) for y in (y1 - (k + 1) * height, y2 + k * height) for x in columns]
    for x, y in beside + away:
        inside = 0 <= x <= picture.shape[1] - width and 0 <= y <= picture.shape[0] - height
        covers = any(x < r and left < x + width and y < b and top < y + height for left, top, r, b in taken)
        if inside and not covers:
            return x, y, x + width, y + height
    x, y = max(0, min(x1, picture.shape[1] - width)), max(0, min(y1, picture.shape[0] - height))
    return x, y, x + width, y + height


def _draw_legend(
    picture: Frame, counts: NDArray[np.float32], labels: Sequence[str], palette: Sequence[Color]
) -> None:
    """List the classes that cover at least half a percent, largest first, at the lower left.

    On a small picture nothing is listed, because the list would hide what it is about.
    """
    scale = _text_scale(picture.shape[0])
    text_height = _text_size("X", scale)[1]
    row = 2 * text_height
    shares = counts / counts.sum()
    listed = [i for i in np.argsort(-shares[: len(labels)]).tolist() if shares[i] >= 0.005]
    listed = listed[: picture.shape[0] // 2 // row]
    if not listed:
        return
    lines = [f"{labels[i]} {shares[i]:.0%}" for i in listed]
    width = 3 * row // 2 + row // 4 + max(_text_size(text, scale)[0] for text in lines)
    if width > picture.shape[1] * LEGEND_SHARE:
        return
    panel = picture[max(0, picture.shape[0] - row * len(lines) - row // 2) :, :width]
    panel[:] = cv2.addWeighted(panel, 0.3, np.full_like(panel, _PANEL), 0.7, 0.0)
    for row_number, (index, text) in enumerate(zip(listed, lines, strict=True)):
        y = row // 4 + row_number * row
        red, green, blue = palette[index]
        cv2.rectangle(
            panel, (row // 3, y + row // 6), (row, y + row * 5 // 6), (blue, green, red), cv2.FILLED
        )
        _write(panel, text, (3 * row // 2, y + (row + text_height) // 2), scale, _WHITE)


def _text_scale(height: int) -> float:
    """Scale at which capitals have 1/50 of the picture's height, within what can be read and drawn."""
    return min(max(height / 50, 8), 200) / _FONT_HEIGHT


def _text_size(text: str, scale: float) -> tuple[int, int]:
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, _stroke(scale))
    return width, height


def _stroke(scale: float) -> int:
    return max(1, round(scale * 1.6))


def _write(picture: Frame, text: str, origin: tuple[int, int], scale: float, color: Color) -> None:
    cv2.putText(picture, text, origin, _FONT, scale, color, _stroke(scale), cv2.LINE_AA)

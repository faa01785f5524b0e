"""Pictures: which topics carry some, and a JPEG of the newest message of one, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from perception import draw, frames, topics
from perception.errors import FrameError
from perception.frames import Frame
from perception.tasks import shipped
from studio.settings import StudioError

if TYPE_CHECKING:  # it needs ROS 2, which need not be there
    from studio.live.watched import Arrived

KINDS = (topics.IMAGE, topics.COMPRESSED_IMAGE)
AT_ONCE = 4  # pictures on a page; a browser opens six connections to one server, and each picture takes one
_FIRST = 2  # of them, before somebody chooses
_WIDEST = 960  # px; a larger frame is shown smaller
_QUALITY = 80
_GREY, _INK = 48, (200, 200, 200)
_LINE = 44  # characters of a sentence that is written where a picture should be


@dataclass(frozen=True)
class Source:
    """A topic with pictures.

    Attributes:
        topic: its name.
        kind: type of its messages.
        labels: the topic with the names of its classes, if its pixels are ids of classes; else empty.
        is_overlay: it is a camera's picture with results drawn into it.
    """

    topic: str
    kind: str
    labels: str
    is_overlay: bool


@dataclass(frozen=True)
class Picture:
    """What is shown of a message.

    Attributes:
        jpeg: the picture; a sentence, where there is none.
        about: size and encoding; empty where there is no picture.
        problem: what is wrong with the message; empty if nothing is.
    """

    jpeg: bytes
    about: str = ""
    problem: str = ""


def sources(offered: Mapping[str, str]) -> list[Source]:
    """The topics with pictures: overlays first, then cameras, then masks and the like."""
    overlays = tuple(f"/{topics.overlay_name(task)}" for task in shipped())
    results = tuple(f"/{topic.name}" for task in shipped() for topic in topics.of_task(task).results)
    found = [
        Source(name, kind, _labels(name), name.endswith(overlays))
        for name, kind in offered.items()
        if kind in KINDS
    ]
    return sorted(found, key=lambda one: (not one.is_overlay, one.topic.endswith(results), one.topic))


def first(found: Sequence[Source]) -> list[Source]:
    """What a page shows before somebody chooses: overlays, or else one camera."""
    return [one for one in found if one.is_overlay][:_FIRST] or list(found[:1])


def picture(source: Source, arrived: Arrived, names: Mapping[int, str]) -> Picture:
    """What to show of a message; made once for all who look.

    Args:
        source: its topic.
        arrived: the message, of any content.
        names: of its classes, by id.
    """
    if arrived.made is None:
        arrived.made = _made(source, arrived, names)
    made: Picture = arrived.made
    return made


def card(text: str) -> bytes:
    """A picture that says a sentence, as JPEG."""
    grey: Frame = np.full((240, 480, 3), _GREY, np.uint8)
    words, lines = text.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) >= _LINE:
            lines.append("")
        lines[-1] += f"{word[:_LINE]} "
    for row, line in enumerate(lines[:9]):
        ascii_only = line.encode("ascii", errors="replace").decode()
        cv2.putText(
            grey, ascii_only, (16, 32 + 24 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA
        )
    return _jpeg(grey)


def _made(source: Source, arrived: Arrived, names: Mapping[int, str]) -> Picture:
    try:
        message = arrived.message
        is_raw = source.kind == topics.IMAGE
        frame = frames.from_image(message) if is_raw else frames.from_compressed(message)
        about = f"{frame.shape[1]}×{frame.shape[0]} {message.encoding if is_raw else message.format}"
        frame = _smaller(frame, holds_ids=bool(source.labels))
        return Picture(_jpeg(_coloured(frame, names) if source.labels else frame), about)
    except (FrameError, StudioError) as error:
        problem = str(error)
    except Exception as error:  # whatever a library makes of a stranger's bytes
        problem = f"{type(error).__name__}: {error}"
    return Picture(card(f"This message cannot be shown: {problem}"), problem=problem)


def _labels(name: str) -> str:
    """The topic with the names of the classes whose ids are the pixels of this one; empty if it has none."""
    for task in shipped():
        shown = topics.of_task(task).shown
        if shown.kind == topics.IMAGE and name.endswith(f"/{shown.name}"):
            return name.removesuffix(shown.name) + topics.label_info_name(task)
    return ""


def _smaller(frame: Frame, *, holds_ids: bool) -> Frame:
    height, width = frame.shape[:2]
    if width <= _WIDEST:
        return frame
    size_hw = (max(1, round(height * _WIDEST / width)), _WIDEST)
    if not holds_ids:
        return frames.resize(frame, size_hw)
    return np.asarray(cv2.resize(frame, size_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _coloured(mask: Frame, names: Mapping[int, str]) -> Frame:
    """A mask in colours of this room, because no topic carries those of the model."""
    class_ids = np.ascontiguousarray(mask[:, :, 0])
    labels = [names.get(index, str(index)) for index in range(255)]
    # By the golden ratio, so that neighbours are far apart.
    turns = (np.arange(255) * 0.618034 % 1.0 * 180).astype(np.uint8)
    hsv = np.stack([turns, np.full(255, 170, np.uint8), np.full(255, 220, np.uint8)], axis=1)
    palette = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    colors = [(int(red), int(green), int(blue)) for red, green, blue in palette]
    return draw.overlay_mask(np.zeros_like(mask), class_ids, labels, colors, alpha=1.0)


def _jpeg(frame: Frame) -> bytes:
    return bytes(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])

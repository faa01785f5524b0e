"""Beside: two results about one frame as one picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import draw
from perception.differences import Difference
from perception.model import Result
from perception.report.page import PICTURE_WIDTH, shown
from perception.report.summary import overlay

Picture = NDArray[np.uint8]

_MARK = (255, 0, 255)  # BGR of pixels that differ, which few palettes have
_PLATE = (235, 235, 235)
_GAP = 4  # px between two pictures
_LEAST_WIDTH = PICTURE_WIDTH // 2  # px; names and legends can be read from this width on


def overlays(frame: Picture, sides: Sequence[Iterable[Result]]) -> Picture:
    """The frame once for each side, with all its results drawn in, from left to right."""
    return _row([overlay(frame, results) for results in sides])


def differing(
    frame: Picture, results: Sequence[Result], names: Sequence[str], difference: Difference
) -> Picture:
    """Both results, and below them, if pixels differ, the frame itself and where that is.

    Args:
        frame: (H, W, 3) uint8 BGR.
        results: of the first model and the second.
        names: what to write on each.
        difference: between them.
    """
    if difference.where is None:
        both = [_enlarged(result.overlay(frame)) for result in results]
        return shown(_row([_titled(*named) for named in zip(both, names, strict=True)]))
    large = _enlarged(frame)
    both = [result.overlay(large) for result in results]
    above = _row([_titled(*named) for named in zip(both, names, strict=True)])
    below = _row([large, _titled(_marked(large, difference.where), "differs")])
    gap = np.full((_GAP, above.shape[1], 3), 255, np.uint8)
    return shown(np.concatenate([above, gap, below]))


def _marked(frame: Picture, where: NDArray[np.bool_]) -> Picture:
    """The frame in pale grey, with the pixels that differ in one colour."""
    height, width = frame.shape[:2]
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    picture = np.asarray(cv2.addWeighted(grey, 0.6, np.full_like(grey, 255), 0.4, 0.0), np.uint8)
    mask = cv2.resize(where.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    picture[mask.astype(bool)] = _MARK
    return picture


def _enlarged(picture: Picture) -> Picture:
    """A small picture in a size at which names in it can be read."""
    height, width = picture.shape[:2]
    if width >= _LEAST_WIDTH:
        return picture
    size = (_LEAST_WIDTH, max(1, round(height * _LEAST_WIDTH / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _titled(picture: Picture, name: str) -> Picture:
    return draw.overlay_boxes(picture, [draw.Mark(None, name, _PLATE)])


def _row(pictures: Sequence[Picture]) -> Picture:
    gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=1)

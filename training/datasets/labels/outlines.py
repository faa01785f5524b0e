"""From label images to shapes: polygons along the edges of pixels, and bitmaps where polygons cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED
from training.datasets.labels.paint import fill
from training.datasets.labels.shapes import Bitmap, Ring, Shape

SPECK = 1 / 4000  # of the picture's pixels; hand-made masks have next to none, those of nets have hundreds
KEEPS = 0.9  # of a region that has fewer corners (IoU); a thin line would vanish otherwise


@dataclass(frozen=True)
class _Region:
    """A region: the area within its outline, px², and its shape with all corners and with fewer."""

    area: float
    exact: Shape
    smooth: Shape


def of_mask(
    mask: NDArray[np.uint8], labels: Sequence[str], *, is_layered: bool, smooth_px: float = 0.0
) -> list[Shape]:
    """The regions of a label image as shapes; pixels that do not count are in none.

    A region is pixels of one class that touch, by an edge or a corner. Without holes it is a polygon.

    Args:
        mask: (H, W) uint8 class ids.
        labels: names of the classes.
        is_layered: later shapes lie on top. Then a region with holes is the polygon around it, below what is
            in the holes. Otherwise, and where pixels in a hole do not count, it is a bitmap.
        smooth_px: how far outlines may move so that they have fewer corners; 0 keeps every pixel.

    Returns:
        Shapes to be painted in this order.
    """
    found = sorted(_regions(mask, labels, is_layered, smooth_px), key=lambda region: -region.area)
    shapes = [region.smooth for region in found]
    if is_layered:
        painted = _painted([region.exact for region in found], mask.shape, labels)
        if (hidden := painted != mask).any():
            # Two regions that cross where corners touch; each hides a part of the other.
            left = np.where(hidden, mask, UNLABELLED).astype(np.uint8)
            least = SPECK * mask.size if smooth_px else 0.0
            patches = _regions(left, labels, False, smooth_px)
            shapes += [region.smooth for region in patches if region.area >= least]
    return shapes


def bitmaps(mask: NDArray[np.uint8], labels: Sequence[str]) -> list[Shape]:
    """All pixels of a class as one shape, for each class."""
    present = [number for number in range(len(labels)) if (mask == number).any()]
    return [Shape(labels[number], "", bitmap=Bitmap.of(mask == number)) for number in present]


def _regions(
    mask: NDArray[np.uint8], labels: Sequence[str], is_layered: bool, smooth_px: float
) -> Iterator[_Region]:
    for number, label in enumerate(labels):
        for outer, holes in outlines(mask == number):
            # A window, because most regions are much smaller than the picture.
            (left, top), (right, bottom) = (outer.min(axis=0).astype(int), outer.max(axis=0).astype(int))
            around = np.zeros((bottom - top, right - left), np.bool_)
            inside = np.zeros_like(around)
            fill(around, outer - (left, top))
            for hole in holes:
                fill(inside, hole - (left, top))
            own = mask[top:bottom, left:right]
            if holes and (not is_layered or (own[inside] == UNLABELLED).any()):
                exact = smooth = Shape(label, "", bitmap=Bitmap.of(around & ~inside, int(left), int(top)))
            else:
                exact = Shape(label, "", rings=(outer,))
                fewer = _smooth(outer - (left, top), around, smooth_px)
                smooth = Shape(label, "", rings=(fewer + np.array([left, top]),))
            # Whatever is in a hole has a smaller outline than what is around it.
            yield _Region(abs(cv2.contourArea(outer.astype(np.float32))), exact, smooth)


def without_specks(mask: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Give regions that are too small to be corrected by hand to what is next to them.

    Args:
        mask: (H, W) uint8 class ids.

    Returns:
        The label image without them, and how many there were.
    """
    is_speck = np.zeros(mask.shape, np.bool_)
    count = 0
    for number in np.unique(mask[mask != UNLABELLED]).tolist():
        found, ids, stats, _ = cv2.connectedComponentsWithStats((mask == number).astype(np.uint8))
        small = stats[:, cv2.CC_STAT_AREA] < SPECK * mask.size
        small[0] = False  # all that is of other classes
        count += int(small[:found].sum())
        is_speck |= small[ids]
    if not count or is_speck.all():
        return mask, 0
    _, nearest = cv2.distanceTransformWithLabels(
        is_speck.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(int(nearest.max()) + 1, np.uint8)
    values[nearest[~is_speck]] = mask[~is_speck]
    return values[nearest], count


def outlines(region: NDArray[np.bool_]) -> Iterator[tuple[Ring, list[Ring]]]:
    """The outer outline of each connected region and those of its holes, along the edges of pixels.

    OpenCV's contours go through the centres of pixels. In a picture of twice the size, where a pixel is 2×2,
    the contour is at even positions on the left and top of a pixel and at odd ones on the right and bottom,
    so half of the position, rounded up, is the edge.
    """
    doubled = np.repeat(np.repeat(region.astype(np.uint8), 2, axis=0), 2, axis=1)
    found, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if hierarchy is None:
        return
    edges = [_corners((contour.reshape(-1, 2).astype(np.int32) + 1) // 2) for contour in found]
    parents = hierarchy.reshape(-1, 4)[:, 3].tolist()
    for number, parent in enumerate(parents):
        if parent < 0:
            yield edges[number], [edges[k] for k, own in enumerate(parents) if own == number]


def _corners(points: NDArray[np.integer[Any]]) -> Ring:
    """A closed path along the edges of pixels without the points where it does not turn."""
    moved = points[np.any(points != np.roll(points, 1, axis=0), axis=1)]
    before, after = moved - np.roll(moved, 1, axis=0), np.roll(moved, -1, axis=0) - moved
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    returns = (before * after).sum(axis=1) < 0
    return np.asarray(moved[turns | returns], np.float64)


def _smooth(outline: Ring, area: NDArray[np.bool_], smooth_px: float) -> Ring:
    """The outline with fewer corners, as few as its region allows."""
    while smooth_px > 0.25:
        fewer = cv2.approxPolyDP(outline.astype(np.float32).reshape(-1, 1, 2), smooth_px, True).reshape(-1, 2)
        if len(fewer) > 2:
            own = np.zeros_like(area)
            fill(own, fewer.astype(np.float64))
            if (own & area).sum() >= KEEPS * (own | area).sum():
                return fewer.astype(np.float64)
        smooth_px /= 2
    return outline


def _painted(shapes: Sequence[Shape], size_hw: tuple[int, ...], labels: Sequence[str]) -> NDArray[np.uint8]:
    """The shapes, painted in their order."""
    mask = np.full(size_hw, UNLABELLED, np.uint8)
    for shape in shapes:
        area = np.zeros(size_hw, np.bool_)
        for one in shape.rings:
            fill(area, one)
        if shape.bitmap is not None:
            rows, columns = shape.bitmap.pixels.shape
            top, left = shape.bitmap.top, shape.bitmap.left
            area[top : top + rows, left : left + columns] = shape.bitmap.pixels
        mask[area] = labels.index(shape.label)
    return mask

"""Paint shapes: from polygons and bitmaps to a label image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED
from training.datasets.labels.shapes import Picture, Reason, Ring, Shape, Unmapped
from training.datasets.text import plain

BEYOND = 1.0  # px outside the picture that are not worth a word; tools round, and pens slip


def paint(
    picture: Picture,
    size_hw: tuple[int, int],
    ids: Mapping[str, int],
    unmapped: Callable[[Unmapped], None],
) -> NDArray[np.uint8]:
    """Paint the shapes of a picture, those of a lower order first, then in the order of the file.

    Args:
        picture: the shapes.
        size_hw: of the picture, px.
        ids: class ids by name.
        unmapped: is called for each shape that is not painted, or not as it is.

    Returns:
        (H, W) uint8 class ids, 255 where no shape is.
    """
    mask = np.full(size_hw, UNLABELLED, np.uint8)
    covered: Counter[tuple[str, str]] = Counter()
    names = {number: name for name, number in ids.items()}
    for shape in sorted(picture.shapes, key=lambda shape: shape.order):

        def say(reason: Reason, message: str, *, shape: Shape = shape) -> None:
            unmapped(Unmapped(reason, picture.listed, f"{picture.place}, {shape.place}".strip(", "), message))

        class_id = ids.get(plain(shape.label))
        if class_id is None:
            say(Reason.NO_CLASS, f"{shape.label!r} is none of the classes" if shape.label else "no class")
            continue
        area = _area(shape, size_hw, picture.in_shares, say)
        if area is None:
            continue
        counts = np.bincount(mask[area], minlength=UNLABELLED)[:UNLABELLED]
        for under in np.flatnonzero(counts).tolist():
            if under != class_id:
                covered[plain(shape.label), names[under]] += int(counts[under])
        mask[area] = class_id
    if covered:
        (top, below), _ = covered.most_common(1)[0]
        message = f"{covered.total()} px, most of them {top} over {below}"
        unmapped(Unmapped(Reason.OVERLAP, picture.listed, picture.place, message))
    return mask


def _area(
    shape: Shape, size_hw: tuple[int, int], in_shares: bool, say: Callable[[Reason, str], None]
) -> NDArray[np.bool_] | None:
    """The pixels of a shape; None if there are none."""
    height, width = size_hw
    area = np.zeros(size_hw, np.bool_)
    if shape.bitmap is not None:
        left, top = shape.bitmap.left, shape.bitmap.top
        rows, columns = shape.bitmap.pixels.shape
        bounds = np.array([left, top, left + columns, top + rows], np.float64)
        y, x = np.nonzero(shape.bitmap.pixels)
        is_in = (y + top >= 0) & (y + top < height) & (x + left >= 0) & (x + left < width)
        area[y[is_in] + top, x[is_in] + left] = True
    else:
        rings = [one * (width, height) if in_shares else one for one in shape.rings]
        points = np.concatenate(rings) if rings else np.zeros((0, 2))
        if not np.isfinite(points).all():
            say(Reason.EMPTY, "a coordinate is no number")
            return None
        if not len(points):
            say(Reason.EMPTY, "it has no points")
            return None
        bounds = np.concatenate([points.min(axis=0), points.max(axis=0)])
        for one in rings:
            fill(area, one)
    beyond = max(-bounds[0], -bounds[1], bounds[2] - width, bounds[3] - height)
    where = "x {:.0f} to {:.0f}, y {:.0f} to {:.0f}".format(*bounds[[0, 2, 1, 3]])
    if not area.any():
        is_outside = bounds[2] <= 0 or bounds[3] <= 0 or bounds[0] >= width or bounds[1] >= height
        say(Reason.OUTSIDE if is_outside else Reason.EMPTY, f"{where}; the picture is {width}×{height}")
        return None
    if beyond > BEYOND:
        say(Reason.PARTLY, f"{where}; the picture is {width}×{height}")
    return area


def fill(area: NDArray[np.bool_], ring: Ring) -> None:
    """Set the pixels whose centre a polygon encloses, by the even-odd rule; the polygon may be anywhere.

    Args:
        area: (H, W), changed in place.
        ring: (K, 2) px, where the first pixel reaches from 0 to 1.
    """
    height, width = area.shape
    (x0, y0), (x1, y1) = ring.T, np.roll(ring, -1, axis=0).T
    # The rows whose centres an edge crosses; of an edge that ends on a centre, one end counts.
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(np.int64)
    counts = last - first
    edge = np.repeat(np.arange(len(ring)), counts)
    if not edge.size:
        return
    rows = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    crossed = x0[edge] + (rows + 0.5 - y0[edge]) * slope
    columns = np.clip(np.ceil(crossed - 0.5), 0, width).astype(np.int64)
    top, bottom = int(rows.min()), int(rows.max()) + 1
    crossings = np.zeros((bottom - top, width + 1), np.int64)
    np.add.at(crossings, (rows - top, columns), 1)
    area[top:bottom] |= np.cumsum(crossings[:, :width], axis=1) % 2 == 1

"""What every form of labels becomes: pictures with shapes, and a list of what could not be taken over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.spec import Color

Ring = NDArray[np.float64]  # (K, 2) x, y; the first pixel reaches from 0 to 1
Box = tuple[float, float, float, float]
Part = Literal["", "train", "val", "test"]
CORNERS = 64  # of a polygon that stands for an ellipse


class Reason(Enum):
    """Why something was not taken over as it is: what it is, and what was done with it."""

    NO_CLASS = ("shapes without a known class", "left out")
    NO_AREA = ("shapes that are no areas", "left out")
    EMPTY = ("shapes that cover no pixel", "left out")
    OUTSIDE = ("shapes outside their picture", "left out")
    PARTLY = ("shapes partly outside their picture", "cut at its border")
    OVERLAP = ("shapes of different classes that overlap", "the later one lies on top")
    BROKEN = ("shapes that cannot be read", "left out")
    SEVERAL = ("pictures labelled several times", "the last one counts")
    NO_LABELS = ("pictures without labels", "left out, because nobody knows what they show")
    NO_SIGNS = ("pictures without boxes", "taken over as pictures without signs")
    NO_PICTURE = ("labels without their picture", "left out; --pictures names the folder of the pictures")
    UNREADABLE = ("files that cannot be read", "left out")
    SIZE = ("labels for another size than their picture's", "left out; export both again, unscaled")
    TURNED = ("pictures that are turned when read (EXIF)", "left out if nothing says how their labels lie")
    RENAMED = ("pictures of the same name", "renamed")
    TEST = ("parts to test with", "left out, because nobody learns from them")

    @property
    def title(self) -> str:
        """What it is, in words."""
        return self.value[0]

    @property
    def done(self) -> str:
        """What was done with it."""
        return self.value[1]


@dataclass(frozen=True)
class Unmapped:
    """One thing that was not taken over as it is.

    Attributes:
        reason: why.
        path: the file that it is in.
        place: where in that file; empty if it is the file itself.
        message: what is the matter with this one.
    """

    reason: Reason
    path: Path
    place: str
    message: str = ""


@dataclass(frozen=True)
class Bitmap:
    """Pixels of a shape.

    Attributes:
        left: column of the picture where ``pixels`` begin.
        top: row, likewise.
        pixels: (H, W) bool.
    """

    left: int
    top: int
    pixels: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], left: int = 0, top: int = 0) -> Bitmap:
        """The part of a mask that is set, so that what is kept in memory is small."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not rows.size:
            return cls(left, top, np.zeros((0, 0), np.bool_))
        cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return cls(left + int(columns[0]), top + int(rows[0]), np.array(cut, np.bool_))


@dataclass(frozen=True)
class Shape:
    """One labelled area.

    Attributes:
        label: name of its class; empty if it has none.
        place: where in its file it is.
        rings: polygons; the shape is what any of them encloses, by the even-odd rule.
        bitmap: pixels, in place of polygons.
        box: x1, y1, x2, y2, if it is an upright rectangle.
        order: shapes of a higher order lie on top; of the same order, later ones do.
    """

    label: str
    place: str
    rings: tuple[Ring, ...] = ()
    bitmap: Bitmap | None = None
    box: Box | None = None
    order: int = 0


@dataclass(frozen=True)
class Picture:
    """One picture and its shapes.

    Attributes:
        path: of the picture.
        name: that its file has in the source, folders included.
        listed: the file of labels.
        place: where in that file.
        shapes: in the order of the file.
        size_wh: px, as the file of labels has it; (0, 0) if it does not say.
        part: on which side of a split it is.
        in_shares: coordinates are shares of width and height instead of pixels.
    """

    path: Path
    name: str
    listed: Path
    place: str
    shapes: tuple[Shape, ...]
    size_wh: tuple[int, int] = (0, 0)
    part: Part = ""
    in_shares: bool = False


@dataclass(frozen=True)
class Labels:
    """All that was read.

    Attributes:
        form: its name.
        labels: names of the classes, in the order of the source.
        pictures: may be read while they are iterated, and only once.
        colors: (R, G, B) of the classes that have one.
        are_boxes: whether all shapes are upright rectangles, as signs are boxed.
    """

    form: str
    labels: tuple[str, ...]
    pictures: Iterable[Picture]
    colors: Mapping[str, Color] = field(default_factory=dict)
    are_boxes: bool = False


def ring(points: ArrayLike) -> Ring:
    """A polygon of pairs, or of numbers in a row, x before y.

    Raises:
        ValueError: they are no pairs of numbers.
    """
    return np.asarray(points, np.float64).reshape(-1, 2)


def rectangle(box: Box, degrees: float = 0.0, about: tuple[float, float] | None = None) -> Ring:
    """A rectangle as a polygon.

    Args:
        box: x1, y1, x2, y2 before it is turned.
        degrees: clockwise, as y goes down.
        about: the point that it is turned about; None is its centre.
    """
    x1, y1, x2, y2 = box
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)
    return turned(corners, degrees, about or ((x1 + x2) / 2, (y1 + y2) / 2))


def ellipse(center: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Ring:
    """An ellipse as a polygon, turned clockwise about its centre."""
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    points = np.stack([np.cos(angles) * radii[0], np.sin(angles) * radii[1]], axis=1) + center
    return turned(points, degrees, center)


def turned(points: Ring, degrees: float, about: tuple[float, float]) -> Ring:
    """Points, turned clockwise about one."""
    if not degrees:
        return points
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray((points - about) @ np.array([[cos, sin], [-sin, cos]]) + about)


def are_boxes(pictures: Iterable[Picture]) -> bool:
    """Whether there are shapes, and all are upright rectangles."""
    shapes = [shape for picture in pictures for shape in picture.shapes]
    return bool(shapes) and all(shape.box is not None for shape in shapes)

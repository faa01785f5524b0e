"""Collect pictures and their labels, one by one, into one of the project's own layouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np

from perception.frames import Frame
from perception.spec import Color
from perception.tasks import UNLABELLED
from training.datasets.images import DataError
from training.datasets.labels import own
from training.datasets.labels.paint import paint
from training.datasets.labels.shapes import Picture, Reason
from training.datasets.labels.source import Source
from training.datasets.pictures import is_turned, read_bgr
from training.datasets.text import plain

Kind = Literal["masks", "boxes"]


@dataclass(frozen=True)
class Classes:
    """The classes of the data set that is written.

    Attributes:
        labels: their names.
        palette: one (R, G, B) per label.
        ids: class ids by the names that the source has.
    """

    labels: tuple[str, ...]
    palette: tuple[Color, ...]
    ids: dict[str, int]


class Collector:
    """Takes pictures one by one, writes them, and counts.

    Args:
        folder: where the data set is written.
        source: where it comes from; notes what is not taken over.
        classes: of the data set.
        kind: what to write.
        rest: class id of pixels that are in no shape; None does not count them.

    Attributes:
        pictures: how many were written.
        boxes: how many boxes.
    """

    def __init__(
        self, folder: Path, source: Source, classes: Classes, kind: Kind, rest: int | None = None
    ) -> None:
        self.folder = folder
        self.source = source
        self.classes = classes
        self.kind = kind
        self.rest = rest
        self.pictures = self.boxes = self._pixels = self._unlabelled = 0
        self._taken: set[tuple[str, str]] = set()
        self._parts: set[str] = set()

    @property
    def uncounted(self) -> float:
        """Share of the pixels that are of no class."""
        return self._unlabelled / max(1, self._pixels)

    def take(self, picture: Picture) -> None:
        """Write a picture and its labels, unless something is wrong with them."""
        if picture.part == "test":
            self._say(Reason.TEST, picture)
            return
        try:
            frame = read_bgr(picture.path)
            is_rewritten = is_turned(picture.path)
        except DataError as error:
            self.source.say(Reason.UNREADABLE, picture.path, "", str(error))
            return
        if is_rewritten:
            labelled = _as_labelled(picture, frame)
            if labelled is None:
                self.source.say(Reason.TURNED, picture.path)
                return
            frame = labelled
        size_wh = (frame.shape[1], frame.shape[0])
        if picture.size_wh not in ((0, 0), size_wh):
            sizes = "{}×{}; the picture is {}×{}".format(*picture.size_wh, *size_wh)
            self._say(Reason.SIZE, picture, sizes)
        elif self.kind == "boxes":
            self._take_boxes(picture, frame, is_rewritten)
        else:
            self._take_mask(picture, frame, is_rewritten)

    def _take_mask(self, picture: Picture, frame: Frame, is_rewritten: bool) -> None:
        height, width = frame.shape[:2]
        mask = paint(picture, (height, width), self.classes.ids, self.source.unmapped.append)
        is_unlabelled = mask == UNLABELLED
        if is_unlabelled.all():
            self._say(Reason.NO_LABELS, picture)
            return
        if self.rest is not None:
            mask[is_unlabelled] = self.rest
        self._pixels += mask.size
        self._unlabelled += int((mask == UNLABELLED).sum())
        folder, stem = self._place(picture)
        own.label_image(folder / "masks" / f"{stem}.png", mask)
        self._write_picture(folder, stem, picture, frame if is_rewritten else None)

    def _take_boxes(self, picture: Picture, frame: Frame, is_rewritten: bool) -> None:
        height, width = frame.shape[:2]
        folder, stem = self._place(picture)
        path = folder / "labels" / f"{stem}.txt"
        count = own.boxes(path, picture, (height, width), self.classes.ids, self.source.unmapped.append)
        if not count:
            self._say(Reason.NO_SIGNS, picture)
        self.boxes += count
        self._write_picture(folder, stem, picture, frame if is_rewritten else None)

    def finish(self) -> None:
        """Write what the classes are. A data set of one part only has no folders of parts.

        Raises:
            DataError: no picture was written.
        """
        if not self.pictures:
            first = self.source.unmapped[0] if self.source.unmapped else None
            why = f"; {first.path}: {first.reason.title} {first.message}".rstrip() if first else ""
            raise DataError(f"{self.source.path} has no picture that could be taken over{why}")
        is_split = "val" in self._parts
        if not is_split:
            for inner in list((self.folder / "train").iterdir()):
                inner.rename(self.folder / inner.name)
            (self.folder / "train").rmdir()
        if self.kind == "masks":
            own.classes(self.folder, self.classes.labels, self.classes.palette)
        else:
            own.names(self.folder, self.classes.labels, is_split=is_split)

    def _place(self, picture: Picture) -> tuple[Path, str]:
        """The folder of a picture's part, and a name without suffix that no other has there."""
        part = picture.part or "train"
        name = PurePosixPath(picture.name.replace("\\", "/"))
        folders = [step for step in name.parent.parts if step not in ("/", ".", "..")]
        wanted = [name.stem, "_".join([*folders, name.stem])]
        wanted += [f"{name.stem}_{number}" for number in range(2, len(self._taken) + 3)]
        stem = next(one for one in wanted if (part, plain(one).casefold()) not in self._taken)
        if stem != name.stem:
            self._say(Reason.RENAMED, picture, f"{picture.name} is now {stem}")
        self._taken.add((part, plain(stem).casefold()))
        self._parts.add(part)
        return self.folder / part, stem

    def _write_picture(self, folder: Path, stem: str, picture: Picture, frame: Frame | None) -> None:
        suffix = picture.path.suffix if frame is None else ".png"
        own.picture(folder / "images" / f"{stem}{suffix}", picture.path, frame)
        self.pictures += 1

    def _say(self, reason: Reason, picture: Picture, message: str = "") -> None:
        place = picture.place or ("" if picture.listed == picture.path else picture.path.name)
        self.source.say(reason, picture.listed, place, message)


def _as_labelled(picture: Picture, upright: Frame) -> Frame | None:
    """The pixels of a turned picture the way round that its labels are for; None if nothing says which."""
    data = np.frombuffer(picture.path.read_bytes(), np.uint8)
    stored = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None or stored.shape == upright.shape:
        return None
    if picture.size_wh == (upright.shape[1], upright.shape[0]):
        return upright
    return np.asarray(stored, np.uint8) if picture.size_wh == (stored.shape[1], stored.shape[0]) else None

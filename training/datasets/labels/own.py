"""Write the project's own layouts: pictures with label images, or pictures with boxes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception import pictures
from perception.frames import Frame
from perception.spec import Color
from training.datasets.labels.paint import BEYOND
from training.datasets.labels.shapes import Box, Picture, Reason, Shape, Unmapped
from training.datasets.text import plain

Say = Callable[[Unmapped], None]


def picture(path: Path, source: Path, frame: Frame | None) -> None:
    """Copy a picture, or write these pixels in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if frame is None:
        shutil.copyfile(source, path)
    else:
        pictures.write(path, frame)


def label_image(path: Path, mask: NDArray[np.uint8]) -> None:
    """Write class ids, one byte a pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write(path, mask)


def classes(folder: Path, labels: Sequence[str], palette: Sequence[Color]) -> None:
    """Write ``classes.json``."""
    entries = [{"name": name, "color": list(color)} for name, color in zip(labels, palette)]
    lines = ",\n ".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (folder / "classes.json").write_text(f"[{lines}]\n", encoding="utf-8")


def names(folder: Path, labels: Sequence[str], *, is_split: bool) -> None:
    """Write ``data.yaml``, as YOLO has it; texts of JSON are texts of YAML."""
    where = {"train": "train/images", "val": "val/images"} if is_split else {"train": "images"}
    lines = [f"{part}: {path}" for part, path in where.items()]
    lines += [f"nc: {len(labels)}", f"names: {json.dumps(list(labels), ensure_ascii=False)}"]
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def boxes(path: Path, of: Picture, size_hw: tuple[int, int], ids: Mapping[str, int], say: Say) -> int:
    """Write the boxes around the shapes of a picture, as YOLO has them.

    Returns:
        How many there are.
    """
    height, width = size_hw
    lines = []
    for shape in of.shapes:

        def note(reason: Reason, message: str, *, shape: Shape = shape) -> None:
            say(Unmapped(reason, of.listed, f"{of.place}, {shape.place}".strip(", "), message))

        class_id = ids.get(plain(shape.label))
        if class_id is None:
            note(Reason.NO_CLASS, f"{shape.label!r} is none of the classes" if shape.label else "no class")
            continue
        x1, y1, x2, y2 = full = _around(shape, size_hw, in_shares=of.in_shares)
        x1, x2 = np.clip((x1, x2), 0, width).tolist()
        y1, y2 = np.clip((y1, y2), 0, height).tolist()
        where = "x {0:.0f} to {2:.0f}, y {1:.0f} to {3:.0f}".format(*full)
        size = f"; the picture is {width}×{height}"
        if not (x1 < x2 and y1 < y2):  # NaN is neither
            is_empty = not (full[0] < full[2] and full[1] < full[3])
            note(Reason.EMPTY if is_empty else Reason.OUTSIDE, where + size)
            continue
        if max(x1 - full[0], y1 - full[1], full[2] - x2, full[3] - y2) > BEYOND:
            note(Reason.PARTLY, where + size)
        values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(f"{class_id} {' '.join(f'{value:.8f}' for value in values)}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return len(lines)


def _around(shape: Shape, size_hw: tuple[int, int], *, in_shares: bool) -> Box:
    """The box around a shape, px."""
    height, width = size_hw
    if shape.bitmap is not None:
        rows, columns = shape.bitmap.pixels.shape
        left, top = shape.bitmap.left, shape.bitmap.top
        return left, top, left + columns, top + rows
    if shape.box is not None:
        x1, y1, x2, y2 = shape.box
    elif shape.rings and sum(map(len, shape.rings)):
        points = np.concatenate(shape.rings)
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    else:
        return 0.0, 0.0, 0.0, 0.0
    return (x1 * width, y1 * height, x2 * width, y2 * height) if in_shares else (x1, y1, x2, y2)

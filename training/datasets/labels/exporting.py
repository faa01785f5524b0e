"""Export: label images become shapes that the tools for labelling read."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from perception.errors import FrameError
from perception.pictures import read_ids
from perception.spec import Color
from perception.tasks import UNLABELLED
from training.datasets import folders, parts
from training.datasets.images import DataError, files, require_folder
from training.datasets.labels import coco, cvat, labelme, outlines
from training.datasets.labels.importing import partial, require_new
from training.datasets.labels.shapes import Picture, Reason, Shape, Unmapped
from training.datasets.pictures import is_turned, read_bgr

Tool = Literal["cvat", "coco", "labelme"]
SMOOTH_PX = 1.0
SMOOTH = 1 / 500  # of the diagonal, in larger pictures; nobody draws more exactly
EXPECTED = "export what extract --model wrote, or a data set with images/, masks/ and classes.json"
Write = Callable[[Path, Sequence[Picture], Sequence[str], Sequence[Color]], None]


@dataclass(frozen=True)
class Form:
    """How labels are handed to a tool.

    Attributes:
        write: writes the file or files of labels.
        pictures: folder of the pictures in that of the labels.
        is_layered: later shapes lie on top of others.
        next: what to do with the folder.
    """

    write: Write
    pictures: str
    is_layered: bool
    next: str


FORMS: dict[str, Form] = {
    "cvat": Form(
        cvat.write,
        "images",
        True,
        "make a task of images/ whose labels are labels.json (Raw), then upload annotations.xml to it "
        "as CVAT 1.1",
    ),
    "coco": Form(coco.write, "images", False, "import annotations/instances_default.json as COCO"),
    "labelme": Form(labelme.write, "", True, "labelme --labels labels.txt ."),
}


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        folder: where it was written.
        source: the data set.
        pictures: how many there are.
        shapes: how many they have.
        corners: how many points of polygons.
        specks: how many regions were given to what is around them.
        unmapped: what was not taken over.
    """

    folder: Path
    source: Path
    pictures: int
    shapes: int
    corners: int
    specks: int
    unmapped: tuple[Unmapped, ...]


def export_labels(
    root: Path, out: Path, *, to: Tool, exact: bool = False, as_bitmaps: bool = False
) -> Exported:
    """Export pictures and label images; ``train`` and ``val`` become folders of their own.

    Args:
        root: a data set in the project's own layout, or pre-labels.
        out: a new folder.
        to: the tool or form.
        exact: keep every pixel. Otherwise specks are given to what is around them, and outlines move by up to
            a pixel or SMOOTH, so that there are fewer shapes and corners to correct.
        as_bitmaps: a bitmap for each class in place of polygons, for brushes; it keeps every pixel.

    Raises:
        DataError: ``out`` is there already, the data set has another layout, or no picture is left.
    """
    require_folder(root)
    require_new(out)
    if not (root / "classes.json").is_file():
        raise DataError(f"{root} has no classes.json; {EXPECTED}")
    labels, palette = folders.describe(root)
    form = FORMS[to]
    unmapped: list[Unmapped] = []
    exported: list[Picture] = []
    specks = 0
    with partial(out) as part:
        for source, target in _parts(root, part):
            pictures = []
            for path in _shown(files(source / "images")):
                mask = _mask(path, folders.mask_of(path, source / "masks"), len(labels), unmapped.append)
                if mask is None:
                    continue
                if not (exact or as_bitmaps):
                    mask, removed = outlines.without_specks(mask)
                    specks += removed
                if as_bitmaps:
                    shapes = outlines.bitmaps(mask, labels)
                else:
                    smooth_px = 0.0 if exact else max(SMOOTH_PX, SMOOTH * math.hypot(*mask.shape))
                    shapes = outlines.of_mask(mask, labels, is_layered=form.is_layered, smooth_px=smooth_px)
                pictures.append(_pictured(path, mask, shapes, is_layered=form.is_layered))
                (target / form.pictures).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / form.pictures / path.name)
            if pictures:
                form.write(target, pictures, labels, palette)
            exported += pictures
        if not exported:
            why = f"; {unmapped[0].path}: {unmapped[0].reason.title}" if unmapped else ""
            raise DataError(f"{root} has no picture with a label image to export{why}")
    shapes = [shape for picture in exported for shape in picture.shapes]
    corners = sum(len(ring) for shape in shapes for ring in shape.rings)
    return Exported(out, root, len(exported), len(shapes), corners, specks, tuple(unmapped))


def _parts(root: Path, out: Path) -> list[tuple[Path, Path]]:
    """Folders that have ``images`` and ``masks``, and where they go.

    Raises:
        DataError: there are none.
    """
    if folders.is_one_drive(root):
        return [(root, out)]
    own = [parts.part(root, which) for which in ("train", "val")]
    found = [folder for folder in own if (folder / "images").is_dir() and (folder / "masks").is_dir()]
    if not found:
        raise DataError(
            f"{root} has no images/ and masks/, neither itself nor in train/ and val/; {EXPECTED}"
        )
    return [(folder, out / folder.name) for folder in found]


def _mask(
    path: Path, mask_path: Path, classes: int, say: Callable[[Unmapped], None]
) -> NDArray[np.uint8] | None:
    """The label image of a picture; None, and a note, if it cannot be exported."""
    if not mask_path.is_file():
        say(Unmapped(Reason.NO_LABELS, path, "", f"there is no {mask_path}"))
        return None
    try:
        height, width = read_bgr(path).shape[:2]
        mask = read_ids(mask_path)
    except (DataError, FrameError) as error:
        named = error if isinstance(error, DataError) else f"{mask_path}: {error}"
        say(Unmapped(Reason.UNREADABLE, path, "", str(named)))
        return None
    if is_turned(path):
        say(Unmapped(Reason.TURNED, path, ""))
        return None
    if mask.shape != (height, width):
        sizes = f"{mask.shape[1]}×{mask.shape[0]}; the picture is {width}×{height}"
        say(Unmapped(Reason.SIZE, mask_path, "", sizes))
        return None
    strange = np.setdiff1d(np.unique(mask), [*range(classes), UNLABELLED]).tolist()
    if strange:
        say(Unmapped(Reason.NO_CLASS, mask_path, "", f"ids {', '.join(map(str, strange))}"))
    return mask


def _pictured(path: Path, mask: NDArray[np.uint8], shapes: Sequence[Shape], *, is_layered: bool) -> Picture:
    """A picture with its shapes, whose order is written if the form has one."""
    ordered = tuple(replace(shape, order=number if is_layered else 0) for number, shape in enumerate(shapes))
    return Picture(path, path.name, path, "", ordered, (mask.shape[1], mask.shape[0]))


def _shown(paths: Sequence[Path]) -> Iterable[Path]:
    """The paths, with a progress bar on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return paths
    return track(paths, "Exporting", console=console, transient=True)

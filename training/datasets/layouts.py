"""Known layouts that training does not read, so that no folder of theirs is taken for a class of signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np

from training.datasets import voc
from training.datasets.images import files
from training.datasets.parts import part_of, subfolders

MASKS, BOXES = "masks", "boxes"
ADVICE = {
    MASKS: "for masks, put pictures into {train,val}/images, label images with class ids into "
    "{train,val}/masks, and list the classes in classes.json, as python -m training labels import does",
    BOXES: "for signs, cut each box out into a folder of its class (Stop/…jpg), or let a detector learn to "
    "find them (--config training/configs/sign_detector.yaml); for masks, let python -m training labels "
    "import draw label images",
}
# Files that an export leaves at its root or in its parts: pattern, layout, what it holds.
MARKERS = (
    ("_annotations.coco.json", "COCO", BOXES),
    ("*coco*.json", "COCO", BOXES),
    ("instances_*.json", "COCO", BOXES),
    ("data.yaml", "YOLO", BOXES),
    ("data.yml", "YOLO", BOXES),
    ("dataset.yaml", "YOLO", BOXES),
    ("obj.data", "YOLO", BOXES),
    ("obj.names", "YOLO", BOXES),
    ("_darknet.labels", "YOLO", BOXES),
    ("*.tfrecord", "TFRecord", BOXES),
    ("_annotations.csv", "a table of boxes", BOXES),
    ("_annotations.createml.json", "CreateML", BOXES),
    ("via_*.json", "VIA", BOXES),
    ("annotations.xml", "CVAT", BOXES),
    ("labelmap.txt", "Pascal VOC", MASKS),
    ("label_colors.txt", "CVAT's CamVid", MASKS),
    ("_classes.csv", "Roboflow's masks", MASKS),
)
COCO_KEYS = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories)"\s*:')
# Folders that are never named after a sign, and those that could be if they were alone.
FOLDERS = {
    "jpegimages": ("Pascal VOC", MASKS),
    "segmentationclass": ("Pascal VOC", MASKS),
    "segmentationclassraw": ("Pascal VOC", MASKS),
    "segmentationobject": ("Pascal VOC", MASKS),
    "imagesets": ("Pascal VOC", MASKS),
    "masks": ("pictures with label images", MASKS),
    "images": ("pictures with labels", MASKS),
    "annotations": ("pictures with annotations", BOXES),
    "labels": ("YOLO", BOXES),
}
DOUBTFUL = {
    *("image", "img", "imgs", "mask", "label", "annotation", "ann", "anns", "gt", "groundtruth"),
    *("ground_truth", "rgb", "seg", "segmentation", "semantic", "instance", "instances", "depth", "default"),
}
PARTNER = re.compile(r"(?P<picture>.+?)[_.-]?(mask|masks|label|labels|labelids|seg|gt|annot)", re.IGNORECASE)
SAMPLES = 3  # pictures of a folder that are opened
FEW_COLORS, MANY_COLORS = 64, 256  # of a label image at most; of a photo at least


def foreign(root: Path) -> str:
    """What to say of a folder whose layout is known and none of the project's; empty if nothing is strange.

    Folders of classes may have any name, so a layout counts only for what gives it away: a file that its
    exports hold, the name of a folder, or pictures whose partners of the same name are label images.
    """
    found = next(_signs_of(root), None)
    if found is None:
        return ""
    layout, path, holds = found
    if layout:
        where = path.relative_to(root).as_posix() + ("/" if path.is_dir() else "")
        return f"{root} looks like {layout}, because {where} is there; {ADVICE[holds]}{_rename(path)}"
    return (
        f"{path} and the folders beside it are the parts of a data set, and hold pictures directly; put "
        f"those into folders of their classes ({path.name}/Stop/…jpg), or {ADVICE[MASKS]}"
    )


def holds_masks(root: Path) -> bool:
    """Whether such a layout is one of label images."""
    found = next(_signs_of(root), None)
    return found is not None and bool(found[0]) and found[2] == MASKS


def _rename(path: Path) -> str:
    return f"; if {path.name} is a class of signs, rename its folder" if path.is_dir() else ""


def _signs_of(root: Path) -> Iterator[tuple[str, Path, str]]:
    """What gives a layout away: its name (empty: a split without classes), where, and what it holds."""
    folders = subfolders(root)
    parts = [folder for folder in folders if part_of(folder.name) or folder.name.lower() == "default"]
    bases = [root, *parts]
    for base in bases:
        yield from _markers(base)
    yolo = [base for base in bases if {"images", "labels"} <= {f.name.lower() for f in subfolders(base)}]
    if yolo:
        yield "YOLO", next(f for f in subfolders(yolo[0]) if f.name.lower() == "labels"), BOXES
    yield from _voc(root, folders)
    for base in bases:
        yield from _folders(subfolders(base))
    for base in bases:
        yield from _pairs(subfolders(base))
    for folder in folders:
        names = {path.stem.lower() for path in files(folder)}
        matches = filter(None, (PARTNER.fullmatch(name) for name in names))
        if 3 * sum(match["picture"] in names for match in matches) >= len(names) > 1:
            yield "pictures beside their label images", folder, MASKS
    flat = [folder for folder in parts if files(folder)]
    if len(flat) > 1 or (flat and flat == folders):
        yield "", flat[0], MASKS


def _markers(base: Path) -> Iterator[tuple[str, Path, str]]:
    for path in sorted(base.iterdir()):
        name = path.name.lower()
        if not path.is_file() or name.startswith("._"):
            continue
        for pattern, layout, holds in MARKERS:
            if fnmatch(name, pattern):
                yield layout, path, holds
        if name.endswith(".json"):
            with path.open("rb") as file:
                if COCO_KEYS.match(file.read(200)):
                    yield "COCO", path, BOXES


def _voc(root: Path, folders: list[Path]) -> Iterator[tuple[str, Path, str]]:
    """Pascal VOC with boxes, but without label images."""
    has_masks = any(folder.name.lower().startswith("segmentation") for folder in folders)
    if not has_masks and voc.is_voc(root):
        yield "Pascal VOC", next(root.rglob("*.xml")), BOXES


def _folders(folders: list[Path]) -> Iterator[tuple[str, Path, str]]:
    by_name = {folder.name.lower(): folder for folder in folders if not _holds_classes(folder)}
    for name, (layout, holds) in FOLDERS.items():
        if name in by_name:
            yield layout, by_name[name], holds
    for name, folder in by_name.items():
        if name.endswith("annot"):
            yield "CamVid", folder, MASKS
    doubtful = sorted(DOUBTFUL & by_name.keys())
    if len(doubtful) > 1:
        yield "pictures with labels", by_name[doubtful[0]], MASKS


def _holds_classes(folder: Path) -> bool:
    """Whether there are folders of pictures in it that are no parts: classes, in a folder too many."""
    filled = [inner for inner in subfolders(folder) if files(inner)]
    return bool(filled) and not files(folder) and not any(part_of(inner.name) for inner in filled)


def _pairs(folders: list[Path]) -> Iterator[tuple[str, Path, str]]:
    """Folders whose pictures are the label images of those of the same names in another folder."""
    names = {folder: {path.stem: path for path in files(folder)} for folder in folders}
    for masks in folders:
        samples = list(names[masks].values())[:SAMPLES]
        sizes = [size for size, count in map(_colors, samples) if 0 < count <= FEW_COLORS]
        if not samples or len(sizes) < len(samples):
            continue
        for pictures in folders:
            if 10 * len(names[pictures].keys() & names[masks].keys()) < 9 * len(names[masks]):
                continue
            partners = [names[pictures].get(path.stem) for path in samples]
            looks = [_colors(path) for path in partners if path]
            if [size for size, count in looks if count >= MANY_COLORS] == sizes:
                yield "pictures with label images of the same names", masks, MASKS


def _colors(path: Path) -> tuple[tuple[int, ...], int]:
    """Size and number of colours of a picture; of what cannot be read, no colours."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except (OSError, cv2.error):
        return (), 0
    if image is None:
        return (), 0
    packed = image.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
    return image.shape[:2], len(np.unique(packed))

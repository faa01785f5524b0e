"""Check pictures with label images: CamVid, Cityscapes, or anyone's own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.spec import UNLABELLED
from training.check.findings import Finding, Kind, by_kind
from training.check.pictures import Look, Picture, decode, each, look, picture_findings
from training.data import camvid, cityscapes, segmentation
from training.data.images import DataError, MaskImage, files

PARTS = ("train", "val")


def check_masks(root: Path) -> list[Finding]:
    """Check a data set of pictures and label images: CamVid, Cityscapes, or anyone's own.

    Returns:
        Everything that was found, by kind, errors first.
    """
    if not (camvid.is_camvid(root) or cityscapes.is_cityscapes(root) or (root / "classes.json").is_file()):
        return _reader_says(root)
    names, ignored = _values(root)
    findings = [] if names else _reader_says(root)
    is_described = not findings
    pictures: list[Picture] = []
    looks: list[Look] = []
    for part in PARTS:
        folder, pairs, masks = _pairs(root, part)
        if not pairs:
            findings.append(Finding(Kind.EMPTY, folder, f"no pictures for {part}"))
            continue
        unused = sorted(set(masks) - {pair.mask_path for pair in pairs})
        findings += [Finding(Kind.NO_PICTURE, mask, f"none of its name in {folder}") for mask in unused]
        part_looks = each(look, [pair.path for pair in pairs])
        looks += part_looks
        pictures += [Picture(pair.path, "", part == "train") for pair in pairs]
        checked = each(lambda item: _check_mask(*item, {*names, *ignored}), list(zip(pairs, part_looks)))
        findings += [found for of_mask, _ in checked for found in of_mask]
        counts = np.sum([counts for _, counts in checked], axis=0)
        absent = [name for value, name in names.items() if not counts[value]]
        findings += [Finding(Kind.ABSENT, folder, f"{name}: no pixel in {part}") for name in absent]
        if part == "train" and is_described and len(names) - len(absent) < 2:
            there = ", ".join(name for name in names.values() if name not in absent) or "none"
            findings.append(Finding(Kind.ONE_CLASS, folder, f"classes in the label images: {there}"))
    findings += picture_findings(pictures, looks)
    if not any(found.severity == "error" for found in findings):
        findings += _reader_says(root)  # what no single file shows
    return by_kind(findings)


def _reader_says(root: Path) -> list[Finding]:
    try:
        segmentation.read(root)
    except (DataError, OSError) as error:
        return [Finding(Kind.LAYOUT, root, str(error))]
    return []


def _values(root: Path) -> tuple[dict[int, str], set[int]]:
    """Names of the values in label images, and the values that are known not to count.

    ``MaskSet.ids`` makes 255 of both void and unknown values; here they differ. Without a readable
    description no value is unknown.
    """
    if camvid.is_camvid(root):
        return dict(enumerate(camvid.CLASSES)), {11, UNLABELLED}
    if cityscapes.is_cityscapes(root):
        # labelIds go from 0 to 33; the classes of the benchmark are 19 of them.
        return {label_id: name for name, (label_id, _) in cityscapes.CLASSES.items()}, {
            *range(34),
            UNLABELLED,
        }
    try:
        classes = json.loads((root / "classes.json").read_text())
        return {class_id: str(entry["name"]) for class_id, entry in enumerate(classes)}, {UNLABELLED}
    except (ValueError, KeyError, TypeError):
        return {}, set(range(256))


def _pairs(root: Path, part: str) -> tuple[Path, list[MaskImage], list[Path]]:
    """As the readers pair them, missing partners or not: folder of pictures, pairs, all label images."""
    if cityscapes.is_cityscapes(root) and not camvid.is_camvid(root):
        folder, masks = root / "leftImg8bit" / part, root / "gtFine" / part
        picture_end, mask_end = "_leftImg8bit.png", "_gtFine_labelIds.png"
        pairs = [
            MaskImage(path, masks / path.parent.name / (path.name.removesuffix(picture_end) + mask_end))
            for path in sorted(folder.glob(f"*/*{picture_end}"))
        ]
        return folder, pairs, list(masks.glob(f"*/*{mask_end}"))
    if camvid.is_camvid(root):
        folder, masks = root / part, root / f"{part}annot"
    else:
        folder, masks = root / part / "images", root / part / "masks"
    paths = files(folder) if folder.is_dir() else []
    return folder, [MaskImage(path, masks / f"{path.stem}.png") for path in paths], list(masks.glob("*.png"))


def _check_mask(pair: MaskImage, look: Look, known: set[int]) -> tuple[list[Finding], NDArray[np.int64]]:
    """What is wrong with a label image, and how many pixels have each of the 256 values."""
    path, counts = pair.mask_path, np.zeros(256, np.int64)
    if not path.is_file():
        return [Finding(Kind.NO_MASK, pair.path, f"there is no {path}")], counts
    try:
        mask = decode(path, cv2.IMREAD_UNCHANGED)
    except DataError as error:
        return [Finding(Kind.UNREADABLE, path, str(error))], counts
    if mask.ndim != 2 or mask.dtype != np.uint8:
        # Byte 25 of a PNG is its colour type; OpenCV reads 3, a palette, as colours.
        what = "an indexed PNG" if path.read_bytes()[25:26] == b"\x03" else "colours" if mask.ndim > 2 else ""
        return [Finding(Kind.COLORS, path, what or f"values of type {mask.dtype}")], counts
    findings = []
    height, width = mask.shape
    if not look.problem and (width, height) != look.size_wh:
        sizes = "{}×{} px, its picture {}×{}".format(width, height, *look.size_wh)
        findings.append(Finding(Kind.SIZE, path, sizes))
    counts = np.bincount(mask.ravel(), minlength=256)
    unknown = [value for value in np.flatnonzero(counts).tolist() if value not in known]
    if unknown:
        named = ", ".join(map(str, unknown[:5])) + (" …" if len(unknown) > 5 else "")
        share = counts[unknown].sum() / mask.size
        findings.append(Finding(Kind.UNKNOWN_IDS, path, f"{named} in {share:.2%} of its pixels"))
    return findings, counts

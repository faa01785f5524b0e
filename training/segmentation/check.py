"""Check pictures with label images: CamVid, Cityscapes, or anyone's own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED
from training.check.pictures import Look, Picture, each, look, picture_findings
from training.check.problems import Finding, Kind, by_kind
from training.datasets import camvid, cityscapes, folders
from training.datasets.images import DataError, MaskImage, files, is_hidden
from training.datasets.pictures import decode, not_ids
from training.segmentation import data as segmentation

PARTS = ("train", "val")
UNTOLD = (Kind.NO_MASK, Kind.UNREADABLE, Kind.COLORS)  # label images whose classes nobody knows


def check_masks(root: Path) -> list[Finding]:
    """Check a data set of pictures and label images: CamVid, Cityscapes, or anyone's own.

    Returns:
        Everything that was found, by kind, errors first.
    """
    if not (camvid.is_camvid(root) or cityscapes.is_cityscapes(root) or (root / "classes.json").is_file()):
        return _reader_says(root)
    findings: list[Finding] = []
    try:
        names, ignored = _values(root)
    except DataError as error:
        # Without a description no value is unknown.
        names, ignored = {}, set(range(256))
        findings.append(Finding(Kind.LAYOUT, root, str(error)))
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
        if not names or any(found.kind in UNTOLD for of_mask, _ in checked for found in of_mask):
            continue  # what occurs cannot be told
        counts = np.sum([counts for _, counts in checked], axis=0)
        there = [name for value, name in names.items() if counts[value]]
        findings += [
            Finding(Kind.ABSENT, folder, f"{name}: no pixel in {part}")
            for name in names.values()
            if name not in there
        ]
        share = f"{counts[UNLABELLED] / counts.sum():.0%} of the pixels are 255, which does not count"
        if part == "train" and len(there) < 2:
            message = f"classes in the label images: {', '.join(there) or 'none'}; {share}"
            findings.append(Finding(Kind.ONE_CLASS, folder, message))
        if part == "val" and not there:
            findings.append(Finding(Kind.NO_SPLIT, folder, f"no pixel of any class; {share}"))
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

    ``MaskSet.ids`` makes 255 of both void and unknown values; here they differ.

    Raises:
        DataError: the description cannot be used.
    """
    described = (root / "classes.json").is_file()
    if camvid.is_camvid(root) and not described:
        return dict(enumerate(camvid.CLASSES)), {11, UNLABELLED}
    if cityscapes.is_cityscapes(root) and not camvid.is_camvid(root):
        # labelIds go from 0 to 33; the classes of the benchmark are 19 of them.
        return {label_id: name for name, (label_id, _) in cityscapes.CLASSES.items()}, {
            *range(34),
            UNLABELLED,
        }
    return dict(enumerate(folders.describe(root)[0])), {UNLABELLED}


def _pairs(root: Path, part: str) -> tuple[Path, list[MaskImage], list[Path]]:
    """As the readers pair them, missing partners or not: folder of pictures, pairs, all label images."""
    if cityscapes.is_cityscapes(root) and not camvid.is_camvid(root):
        there = (root / "gtFine" / part).glob("*/*_gtFine_labelIds.png")
        shown = [path for path in there if not is_hidden(path)]
        return root / "leftImg8bit" / part, cityscapes.pairs_of(root, part), shown
    if camvid.is_camvid(root):
        folder, masks = root / part, root / f"{part}annot"
    else:
        folder, masks = root / part / "images", root / part / "masks"
    paths = files(folder) if folder.is_dir() else []
    there = [path for path in masks.glob("*") if path.suffix.lower() == ".png" and not is_hidden(path)]
    return folder, [MaskImage(path, folders.mask_of(path, masks)) for path in paths], there


def _check_mask(pair: MaskImage, look: Look, known: set[int]) -> tuple[list[Finding], NDArray[np.int64]]:
    """What is wrong with a label image, and how many pixels have each of the 256 values."""
    path, counts = pair.mask_path, np.zeros(256, np.int64)
    if not path.is_file():
        return [Finding(Kind.NO_MASK, pair.path, f"there is no {path}")], counts
    try:
        mask = decode(path, cv2.IMREAD_UNCHANGED)
    except DataError as error:
        return [Finding(Kind.UNREADABLE, path, str(error))], counts
    if problem := not_ids(path, mask):
        return [Finding(Kind.COLORS, path, problem)], counts
    findings = []
    height, width = mask.shape
    if not look.problem and (width, height) != look.size_wh:
        sizes = "{}×{} px, its picture {}×{}".format(width, height, *look.size_wh)
        if (height, width) == look.size_wh:
            sizes += ", perhaps turned by its EXIF orientation"
        findings.append(Finding(Kind.SIZE, path, sizes))
    counts = np.bincount(mask.ravel(), minlength=256)
    unknown = [value for value in np.flatnonzero(counts).tolist() if value not in known]
    if unknown:
        named = ", ".join(map(str, unknown[:5])) + (" …" if len(unknown) > 5 else "")
        share = counts[unknown].sum() / mask.size
        findings.append(Finding(Kind.UNKNOWN_IDS, path, f"{named} in {share:.2%} of its pixels"))
    return findings, counts

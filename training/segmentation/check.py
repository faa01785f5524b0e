"""Check pictures with label images: CamVid, Cityscapes, or anyone's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError
from perception.pictures import read_ids
from perception.tasks import UNLABELLED
from training.check.pictures import Look, Picture, each, look, picture_problems, unused, why_unreadable
from training.check.problems import Check, Kind, Problem, by_kind, few, of_names
from training.datasets import camvid, cityscapes, folders, layouts, parts, yolo
from training.datasets.excluded import Excluded
from training.datasets.images import DataError, MaskImage, files, is_hidden
from training.datasets.pictures import is_turned
from training.segmentation import data as segmentation

PARTS = ("train", "val")
OWN = ("classes.json", "leftImg8bit", "gtFine")
UNKNOWN = (Kind.NO_MASK, Kind.UNREADABLE, Kind.COLORS)  # label images whose classes nobody knows


def claims(root: Path) -> bool:
    """Whether a folder has, or is meant to have, a layout of masks."""
    pictures, masks = ([parts.part(root, part) / kind for part in PARTS] for kind in ("images", "masks"))
    is_own = any(path.exists() for path in (*(root / name for name in OWN), *masks))
    # Boxes of YOLO have their pictures in folders of the same name.
    is_own = is_own or (any(path.exists() for path in pictures) and not yolo.is_yolo(root))
    return camvid.is_camvid(root) or is_own or layouts.holds_masks(root)


def summary(root: Path) -> str:
    """What a data set of masks is taken for: its classes, and the pictures of both parts.

    Raises:
        DataError: it cannot be read.
    """
    dataset = segmentation.read(root)
    return f"{few(dataset.labels)}, {len(dataset.train)} + {len(dataset.val)} pictures"


def check(root: Path, *, exclude: str | Path | None = None) -> list[Problem]:
    """Check a data set of pictures and label images: CamVid, Cityscapes, or anyone's own.

    Args:
        root: the data set.
        exclude: as in ``MaskData``.

    Returns:
        Everything that is wrong, by kind, errors first.
    """
    is_known = camvid.is_camvid(root) or cityscapes.is_cityscapes(root)
    has_parts = (root / "classes.json").is_file() and parts.part(root, "train").is_dir()
    if not is_known and not has_parts and not folders.is_one_drive(root):
        return _of_reading(root)
    problems: list[Problem] = []
    try:
        names, ignored = _values(root)
        problems += of_names([(root / "classes.json", name) for name in names.values()])
    except DataError as error:
        # Without a description no value is unknown.
        names, ignored = {}, set(range(256))
        problems.append(Problem(Kind.LAYOUT, root, str(error)))
    pictures: list[Picture] = []
    looks: list[Look] = []
    found = {part: _pairs(root, part) for part in PARTS}
    excluded = Excluded.read(exclude, root, [pair for _, pairs, _ in found.values() for pair in pairs])
    for part, (folder, all_pairs, masks) in found.items():
        if not all_pairs:
            problems.append(Problem(Kind.EMPTY, folder, f"no pictures for {part}"))
            continue
        alone = sorted(set(masks) - {pair.mask_path for pair in all_pairs})
        problems += [Problem(Kind.NO_PICTURE, mask, f"none of its name in {folder}") for mask in alone]
        pairs = excluded.rest(all_pairs)
        if part == "train" or not folders.is_one_drive(root):  # else both parts are in one folder
            problems += _unused(pairs)
        part_looks = each(look, [pair.path for pair in pairs])
        looks += part_looks
        pictures += [Picture(pair.path, "", part == "train") for pair in pairs]
        checked = each(lambda item: _check_mask(*item, {*names, *ignored}), list(zip(pairs, part_looks)))
        of_masks = [problem for of_mask, _ in checked for problem in of_mask]
        problems += of_masks
        is_known = not any(problem.kind in UNKNOWN for problem in of_masks)
        if names and is_known:  # else a class may be in a label image that cannot be read
            counts = np.sum([counts for _, counts in checked], axis=0)
            problems += _of_classes(part, folder, names, counts)
    problems += picture_problems(pictures, looks)
    if not any(problem.severity == "error" for problem in problems):
        problems += _of_reading(root)  # what no single file shows
    return by_kind(problems)


def _of_classes(
    part: str, folder: Path, names: Mapping[int, str], counts: NDArray[np.int64]
) -> list[Problem]:
    """What is wrong with the classes of a part, given how many pixels have each of the 256 values."""
    present = [name for value, name in names.items() if counts[value]]
    problems = [
        Problem(Kind.ABSENT, folder, f"{name}: no pixel in {part}")
        for name in names.values()
        if name not in present
    ]
    share = f"{counts[UNLABELLED] / counts.sum():.0%} of the pixels are 255, which does not count"
    if part == "train" and len(present) < 2:
        message = f"classes in the label images: {', '.join(present) or 'none'}; {share}"
        problems.append(Problem(Kind.ONE_CLASS, folder, message))
    if part == "val" and not present:
        problems.append(Problem(Kind.NO_SPLIT, folder, f"no pixel of any class; {share}"))
    return problems


def _unused(pairs: Sequence[MaskImage]) -> Iterator[Problem]:
    """What is beside the pictures and label images of a part, and is passed over."""
    for one in sorted({pair.path.parent for pair in pairs}):
        yield from unused(one)
    for one in sorted({pair.mask_path.parent for pair in pairs}):
        if one.is_dir():
            yield from unused(one, suffixes=(".png",))


def _of_reading(root: Path) -> list[Problem]:
    try:
        segmentation.read(root)
    except (DataError, OSError) as error:
        return [Problem(Kind.LAYOUT, root, str(error))]
    return []


def _values(root: Path) -> tuple[dict[int, str], set[int]]:
    """Names of the values in label images, and the values that are known not to count.

    ``MaskSet.ids`` makes 255 of both void and unknown values; here they differ.

    Raises:
        DataError: the description cannot be used.
    """
    is_described = (root / "classes.json").is_file()
    if camvid.is_camvid(root) and not is_described:
        return dict(enumerate(camvid.CLASSES)), {11, UNLABELLED}
    if cityscapes.is_cityscapes(root) and not camvid.is_camvid(root):
        # labelIds go from 0 to 33; the classes of the benchmark are 19 of them.
        names = {label_id: name for name, (label_id, _) in cityscapes.CLASSES.items()}
        return names, {*range(34), UNLABELLED}
    return dict(enumerate(folders.describe(root)[0])), {UNLABELLED}


def _pairs(root: Path, part: str) -> tuple[Path, list[MaskImage], list[Path]]:
    """As the readers pair them, missing partners or not: folder of pictures, pairs, all label images."""
    if cityscapes.is_cityscapes(root) and not camvid.is_camvid(root):
        label_images = (root / "gtFine" / part).glob("*/*_gtFine_labelIds.png")
        visible = [path for path in label_images if not is_hidden(path)]
        return root / "leftImg8bit" / part, cityscapes.pairs_of(root, part), visible
    if camvid.is_camvid(root):
        folder, masks = camvid.folders_of(root, part)
        paths = files(folder) if folder.is_dir() else []
    else:
        base, paths = folders.own_pictures(root, part)
        folder, masks = base / "images", base / "masks"
    visible = [path for path in masks.glob("*") if path.suffix.lower() == ".png" and not is_hidden(path)]
    if folders.is_one_drive(root):  # label images without a picture count once, with the part that learns
        own = {path.stem for path in paths}
        others = {path.stem for path in files(folder)} - own
        alone = part == "train"
        visible = [path for path in visible if path.stem in own or (alone and path.stem not in others)]
    return folder, [MaskImage(path, folders.mask_of(path, masks)) for path in paths], visible


def _check_mask(pair: MaskImage, look: Look, known: set[int]) -> tuple[list[Problem], NDArray[np.int64]]:
    """What is wrong with a label image, and how many pixels have each of the 256 values."""
    path, counts = pair.mask_path, np.zeros(256, np.int64)
    if not path.is_file():
        return [Problem(Kind.NO_MASK, pair.path, f"there is no {path}")], counts
    try:
        mask = read_ids(path)
    except FrameError as error:
        kind = Kind.COLORS if error.reason == "encoding" else Kind.UNREADABLE
        return [Problem(kind, path, why_unreadable(path, error))], counts
    problems = []
    height, width = mask.shape
    is_turned_now = not look.problem and is_turned(pair.path)
    if is_turned_now:
        problems.append(Problem(Kind.TURNED, pair.path, f"its label image is {path}"))
    elif not look.problem and (width, height) != look.size_wh:
        sizes = "{}×{} px, its picture {}×{}".format(width, height, *look.size_wh)
        problems.append(Problem(Kind.SIZE, path, sizes))
    counts = np.bincount(mask.ravel(), minlength=256)
    unknown = [value for value in np.flatnonzero(counts).tolist() if value not in known]
    if unknown:
        named = ", ".join(map(str, unknown[:5])) + (" …" if len(unknown) > 5 else "")
        share = counts[unknown].sum() / mask.size
        problems.append(Problem(Kind.UNKNOWN_IDS, path, f"{named} in {share:.2%} of its pixels"))
    return problems, counts


CHECK = Check(problems=check, claims=claims, content="masks", config="segnet.yaml", summary=summary)

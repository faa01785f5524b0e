"""Check: everything that is wrong with a data set, listed before training rather than met during it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import lightning as L
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from perception.spec import UNLABELLED
from training.data import camvid, cityscapes, gtsdb, gtsrb, segmentation, signs
from training.data.images import (
    IMAGE_SUFFIXES,
    DataError,
    MaskImage,
    SignImage,
    SignSet,
    files,
    require_folder,
)

SMALLEST_SIDE = 8  # px; nothing can be recognised on less
SMALL_CLASS = 0.1  # of the largest class
PATHS = 10  # listed for each kind of finding
PARTS = ("train", "val")

Severity = Literal["error", "warning"]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Kind(Enum):
    """What can be wrong: severity, what it is, what to do. An error makes results meaningless."""

    LAYOUT = ("error", "data set that cannot be read", "the layouts stand in docs/training.md")
    EMPTY = ("error", "folders without pictures", "fill them or remove them")
    ONE_CLASS = ("error", "fewer than two classes", "there is nothing to tell apart; add a class")
    UNREADABLE = ("error", "unreadable pictures", "copy them anew or take them out")
    TWO_CLASSES = ("error", "same picture in two classes", "one label is wrong; delete that copy")
    LEAK = ("error", "same picture in training and validation", "delete one; it would be tested as learnt")
    NO_SPLIT = ("error", "nothing to validate with", "add a second track or picture to the classes")
    NO_MASK = ("error", "pictures without label image", "add it or take the picture out")
    COLORS = ("error", "label images that are not one byte a pixel", "turn them into ids: docs/training.md")
    SIZE = ("error", "label images of another size than their picture", "export them again, unscaled")
    UNKNOWN_IDS = ("error", "label images with unknown ids", "name the class, or paint it as not counting")
    COPY = ("warning", "same picture twice on one side of the split", "delete the copies; they count double")
    TINY = ("warning", f"pictures smaller than {SMALLEST_SIDE} px", "take them out")
    NO_VALIDATION = ("warning", "classes that cannot be validated", "add a second track or picture")
    SMALL = ("warning", "small classes", "add pictures, or read their own figures, not the average")
    ABSENT = ("warning", "classes that never occur", "a model cannot learn, or prove, what is not there")
    NO_PICTURE = ("warning", "label images without picture", "they go unused; is the picture misnamed?")

    @property
    def severity(self) -> Severity:
        """Whether ``fit`` refuses it."""
        return self.value[0]

    @property
    def title(self) -> str:
        """The kind in words."""
        return self.value[1]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return self.value[2]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: which of the things that can be wrong.
        path: the file or folder to mend.
        message: what is wrong with this one.
    """

    kind: Kind
    path: Path
    message: str

    @property
    def severity(self) -> Severity:
        """``"error"`` if results would be meaningless, else ``"warning"``."""
        return self.kind.severity


def check(root: Path, *, background: Path | None = None) -> list[Finding]:
    """Look at every file of a data set, of signs or of masks, whichever it is.

    Args:
        root: the data set.
        background: the pictures that "no known sign" would be cut from.

    Returns:
        Everything that was found, by kind, errors first.

    Raises:
        DataError: there is no such folder.
    """
    require_folder(root)
    # Without this, own pictures whose classes.json is missing would be taken for the signs "train" and "val".
    is_masks = not gtsrb.is_gtsrb(root) and (
        camvid.is_camvid(root)
        or cityscapes.is_cityscapes(root)
        or any((root / name).exists() for name in ("classes.json", *PARTS))
    )
    return check_masks(root) if is_masks else check_signs(root, background=background)


def require_sound(data: L.LightningDataModule) -> None:
    """Refuse to train where results would be meaningless.

    Args:
        data: SignData or MaskData, before or after ``setup``; others pass.

    Raises:
        DataError: the check finds errors; the message has the first of each kind.
    """
    background = ""
    if isinstance(data, signs.SignData):
        background = f" --background {data.background}" if data.background else ""
        findings = check_signs(
            data.root,
            background=data.background,
            val_fraction=data.val_fraction,
            seed=data.seed,
            hold_out=data.hold_out,
        )
    elif isinstance(data, segmentation.MaskData):
        findings = check_masks(data.root)
    else:
        return
    counts = Counter(found.kind for found in findings if found.severity == "error")
    if counts:
        first = {found.kind: found for found in reversed(findings)}
        lines = [
            f"{kind.title} ({n}): {first[kind].path}: {first[kind].message}" for kind, n in counts.items()
        ]
        raise DataError(
            "\n  ".join((f"{data.root} would give meaningless results", *lines))
            + f"\npython -m training check {data.root}{background} lists everything"
        )


# Signs


def check_signs(
    root: Path,
    *,
    background: Path | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
    hold_out: Sequence[str] = (),
) -> list[Finding]:
    """Check a data set of signs, split as ``SignData`` splits it; arguments as there.

    Returns:
        Everything that was found, by kind, errors first.
    """
    try:
        found = _list_signs(root)
        rest, _ = signs.without(found, hold_out)
    except DataError as error:
        return [Finding(Kind.LAYOUT, root, str(error))]
    train, _ = signs.split_by_track(rest.images, val_fraction=val_fraction, seed=seed)
    training = {image.path for image in train}
    pictures = [
        _Picture(image.path, found.labels[image.class_id], image.path in training) for image in found.images
    ]
    looks = _each(_look, [picture.path for picture in pictures])
    findings = [*_class_findings(root, found), *_picture_findings(pictures, looks)]
    if found.images and len(training) == len(found.images):
        findings.append(Finding(Kind.NO_SPLIT, root, "each class has only one track or picture"))
    findings += [
        Finding(Kind.TINY, look.path, "{}×{} px".format(*look.size_wh))
        for look in looks
        if not look.problem and min(look.size_wh) < SMALLEST_SIDE
    ]
    return _by_kind(findings + (_background_findings(background, val_fraction) if background else []))


def _list_signs(root: Path) -> SignSet:
    """As the readers list them, but an empty class is none of their errors here."""
    if gtsrb.is_gtsrb(root):
        return gtsrb.read(root)
    classes = sorted(path for path in root.iterdir() if path.is_dir())
    images = [SignImage(path, k, str(path)) for k, folder in enumerate(classes) for path in files(folder)]
    return SignSet(root.name, tuple(folder.name for folder in classes), tuple(images))


def _class_findings(root: Path, found: SignSet) -> list[Finding]:
    by_class: dict[int, list[SignImage]] = defaultdict(list)
    for image in found.images:
        by_class[image.class_id].append(image)
    findings = []
    if len(by_class) < 2:
        names = ", ".join(found.labels[class_id] for class_id in by_class) or "none"
        findings.append(Finding(Kind.ONE_CLASS, root, f"classes with pictures: {names}"))
    # The folders of classes stand side by side in all layouts.
    bases = {image.path.parent.parent for image in found.images} or {root}
    for folder in sorted(f for base in bases if base.is_dir() for f in base.iterdir() if f.is_dir()):
        if not files(folder):
            suffixes = ", ".join(IMAGE_SUFFIXES)
            findings.append(Finding(Kind.EMPTY, folder, f"no {suffixes} directly in it"))
    largest = max(map(len, by_class.values()), default=0)
    for class_id, label in enumerate(found.labels):
        images = by_class[class_id]
        if not images:
            # Own folders are empty then, which was said.
            if gtsrb.is_gtsrb(root):
                findings.append(Finding(Kind.ABSENT, root, f"class {class_id}, {label}"))
            continue
        folder, tracks = images[0].path.parent, len({image.track for image in images})
        if tracks < 2:
            findings.append(Finding(Kind.NO_VALIDATION, folder, f"{label}: only one track or picture"))
        if len(images) < SMALL_CLASS * largest:
            findings.append(
                Finding(
                    Kind.SMALL,
                    folder,
                    f"{label}: {_count(len(images), 'picture')}; the largest has {largest}",
                )
            )
    return findings


def _background_findings(root: Path, val_fraction: float) -> list[Finding]:
    paths = files(root) if root.is_dir() else []
    if not paths:
        return [Finding(Kind.EMPTY, root, "no pictures to cut background from")]
    # Every n-th picture validates, as in SignData.
    every = round(1 / val_fraction)
    pictures = [_Picture(path, "background", number % every != 0) for number, path in enumerate(paths)]
    findings = _picture_findings(pictures, _each(_look, paths))
    try:
        gtsdb.boxes(root)
    except ValueError as error:
        findings.append(Finding(Kind.LAYOUT, root / "gt.txt", f"{error}; a line is file;x1;y1;x2;y2;class"))
    return findings


# Masks


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
    pictures: list[_Picture] = []
    looks: list[_Look] = []
    for part in PARTS:
        folder, pairs, masks = _pairs(root, part)
        if not pairs:
            findings.append(Finding(Kind.EMPTY, folder, f"no pictures for {part}"))
            continue
        unused = sorted(set(masks) - {pair.mask_path for pair in pairs})
        findings += [Finding(Kind.NO_PICTURE, mask, f"none of its name in {folder}") for mask in unused]
        part_looks = _each(_look, [pair.path for pair in pairs])
        looks += part_looks
        pictures += [_Picture(pair.path, "", part == "train") for pair in pairs]
        checked = _each(lambda item: _check_mask(*item, {*names, *ignored}), list(zip(pairs, part_looks)))
        findings += [found for of_mask, _ in checked for found in of_mask]
        counts = np.sum([counts for _, counts in checked], axis=0)
        absent = [name for value, name in names.items() if not counts[value]]
        findings += [Finding(Kind.ABSENT, folder, f"{name}: no pixel in {part}") for name in absent]
        if part == "train" and is_described and len(names) - len(absent) < 2:
            there = ", ".join(name for name in names.values() if name not in absent) or "none"
            findings.append(Finding(Kind.ONE_CLASS, folder, f"classes in the label images: {there}"))
    findings += _picture_findings(pictures, looks)
    if not any(found.severity == "error" for found in findings):
        findings += _reader_says(root)  # what no single file shows
    return _by_kind(findings)


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


def _check_mask(pair: MaskImage, look: _Look, known: set[int]) -> tuple[list[Finding], NDArray[np.int64]]:
    """What is wrong with a label image, and how many pixels have each of the 256 values."""
    path, counts = pair.mask_path, np.zeros(256, np.int64)
    if not path.is_file():
        return [Finding(Kind.NO_MASK, pair.path, f"there is no {path}")], counts
    try:
        mask = _decode(path, cv2.IMREAD_UNCHANGED)
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


# Pictures


@dataclass(frozen=True)
class _Picture:
    path: Path
    label: str
    is_training: bool


@dataclass(frozen=True)
class _Look:
    """What one look at a picture tells: its size, what its pixels are, or why it cannot be read."""

    path: Path
    size_wh: tuple[int, int] = (0, 0)
    digest: bytes = b""
    problem: str = ""


def _look(path: Path) -> _Look:
    try:
        image = _decode(path, cv2.IMREAD_COLOR)
    except DataError as error:
        return _Look(path, problem=str(error))
    height, width = image.shape[:2]
    size = b"%dx%d" % (width, height)
    # Pixels, not bytes of the file: a copy may have been saved in another format.
    return _Look(path, (width, height), hashlib.blake2b(image.tobytes() + size).digest())


def _decode(path: Path, flags: int) -> NDArray[np.generic]:
    """Read a picture, and say more than OpenCV about one that is damaged.

    Raises:
        DataError: what is wrong with the file, which is not named.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(error.strerror) from error
    if not data:
        raise DataError("the file is empty")
    # OpenCV fills the rest of a cut-off JPEG with grey and says nothing.
    is_cut_jpeg = data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[max(0, data.find(b"\xff\xda")) :]
    is_cut_png = data.startswith(b"\x89PNG") and b"IEND" not in data
    if is_cut_jpeg or is_cut_png:
        raise DataError(f"cut off after {len(data)} bytes")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise DataError("no picture, or damaged")
    return image


def _picture_findings(pictures: Iterable[_Picture], looks: Iterable[_Look]) -> list[Finding]:
    """Pictures that cannot be read, and those that occur more than once.

    Of copies, those in training come first, and the others are compared with the first of them.
    """
    findings = []
    same: dict[bytes, list[_Picture]] = defaultdict(list)
    for picture, look in zip(pictures, looks):
        if look.problem:
            findings.append(Finding(Kind.UNREADABLE, picture.path, look.problem))
        else:
            same[look.digest].append(picture)
    for copies in same.values():
        first, *others = sorted(copies, key=lambda picture: not picture.is_training)
        for other in others:
            if other.label != first.label:
                finding = Finding(
                    Kind.TWO_CLASSES, other.path, f"{other.label} here, {first.label} as {first.path}"
                )
            elif other.is_training != first.is_training:
                finding = Finding(Kind.LEAK, other.path, f"in validation; in training as {first.path}")
            else:
                finding = Finding(Kind.COPY, other.path, f"the same as {first.path}")
            findings.append(finding)
    return findings


def _each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    console = Console(stderr=True)
    with ThreadPoolExecutor() as pool:  # decoding and hashing leave Python free
        results = pool.map(function, items)
        if not console.is_terminal:
            return list(results)
        return list(track(results, "Looking at pictures", total=len(items), console=console, transient=True))


def _by_kind(findings: Iterable[Finding]) -> list[Finding]:
    order = list(Kind)
    return sorted(findings, key=lambda found: order.index(found.kind))


# Terminal


def run(root: Path, *, background: Path | None = None, everything: bool = False) -> None:
    """Check a data set and print what was found.

    Args:
        root: the data set.
        background: the pictures that "no known sign" would be cut from.
        everything: print every path, not the first ten of each kind.

    Raises:
        DataError: there is no such folder, or there are errors.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the table says it, with the path
    findings = check(root, background=background)
    console = Console()
    for kind, of_kind in groupby(findings, key=lambda found: found.kind):
        _show(kind, list(of_kind), root, console, limit=None if everything else PATHS)
    errors = sum(found.severity == "error" for found in findings)
    if errors:
        raise DataError(f"{_count(errors, 'error')} in {root}; mend them and check again, fit refuses them")
    warnings = f"no errors, {_count(len(findings), 'warning')}" if findings else "nothing wrong"
    console.print(f"{root}: {warnings}; go on with python -m training fit", highlight=False, soft_wrap=True)


def _show(
    kind: Kind, findings: Sequence[Finding], root: Path, console: Console, *, limit: int | None
) -> None:
    color = "red" if kind.severity == "error" else "yellow"
    title = Text.assemble(
        (f"{kind.severity}: ", f"bold {color}"), (f"{kind.title} ({len(findings)})", "bold")
    )
    console.print(title.append(f" – {kind.advice}"))
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for found in findings[:limit]:
        # Inside the data set, paths are short.
        table.add_row(*(Text(str(cell).replace(f"{root}/", "")) for cell in (found.path, found.message)))
    if len(findings) > len(findings[:limit]):
        table.add_row(f"and {len(findings) - len(findings[:limit])} more", "--all lists them")
    console.print(table)
    console.print()


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

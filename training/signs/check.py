"""Check crops of signs: GTSRB, or one folder per class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perception.recordings.sources import PICTURES
from training.check.pictures import Picture, each, look, picture_findings
from training.check.problems import LARGEST_SIDE, SMALLEST_SIDE, Finding, Kind, by_kind, counted
from training.datasets import folders, gtsdb, gtsrb
from training.datasets.images import DataError, SignImage, SignSet, files, is_hidden
from training.signs import data as signs

SMALL_CLASS = 0.1  # of the largest class
NOTES = (".csv", ".json", ".txt", ".xml")  # lie beside pictures and are none


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
    findings = _background_findings(background, val_fraction) if background else []
    try:
        is_gtsrb = gtsrb.is_gtsrb(root)
        found = gtsrb.read(root) if is_gtsrb else folders.list_classes(root, in_part=True)
        rest, _ = signs.without(found, hold_out)
    except DataError as error:
        return by_kind([Finding(Kind.LAYOUT, root, str(error)), *findings])
    try:
        if not is_gtsrb:
            folders.read_flips(root / "flips.json", found.labels)
    except DataError as error:
        findings.append(Finding(Kind.LAYOUT, root, str(error)))
    train, _ = signs.split_by_track(rest.images, val_fraction=val_fraction, seed=seed)
    training = {image.path for image in train}
    pictures = [
        Picture(image.path, found.labels[image.class_id], image.path in training) for image in found.images
    ]
    looks = each(look, [picture.path for picture in pictures])
    findings += [*_class_findings(root, found), *picture_findings(pictures, looks)]
    if rest.images and len(training) == len(rest.images):
        findings.append(Finding(Kind.NO_SPLIT, root, "each class has only one track or picture"))
    findings += [
        Finding(Kind.TINY, look.path, "{}×{} px".format(*look.size_wh))
        for look in looks
        if not look.problem and min(look.size_wh) < SMALLEST_SIDE
    ]
    findings += [
        Finding(Kind.WHOLE, look.path, "{}×{} px".format(*look.size_wh))
        for look in looks
        if min(look.size_wh) > LARGEST_SIDE
    ]
    return by_kind(findings)


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
    for folder in sorted(f for base in bases if base.is_dir() for f in folders.class_folders(base)):
        if not files(folder):
            findings.append(Finding(Kind.EMPTY, folder, folders.no_pictures(folder)))
            continue
        findings += [
            Finding(Kind.UNUSED, path, f"no {', '.join(PICTURES)} directly in {folder.name}")
            for path in sorted(folder.iterdir())
            if path.suffix.lower() not in (*PICTURES, *NOTES) and not is_hidden(path)
        ]
    largest = max(map(len, by_class.values()), default=0)
    is_gtsrb = gtsrb.is_gtsrb(root)
    for class_id, label in enumerate(found.labels):
        images = by_class[class_id]
        if not images:
            # Own folders are empty then, which was said.
            if is_gtsrb:
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
                    f"{label}: {counted(len(images), 'picture')}; the largest has {largest}",
                )
            )
    return findings


def _background_findings(root: Path, val_fraction: float) -> list[Finding]:
    paths = files(root) if root.is_dir() else []
    if not paths:
        return [Finding(Kind.EMPTY, root, "no pictures to cut background from")]
    pictures = [
        Picture(path, "background", not gtsdb.validates(number, val_fraction))
        for number, path in enumerate(paths)
    ]
    looks = each(look, paths)
    findings = picture_findings(pictures, looks)
    if len(paths) < 2:
        findings.append(Finding(Kind.NO_SPLIT, root, "one picture of background; it takes two to learn, too"))
    try:
        boxes = gtsdb.boxes(root)
    except DataError as error:
        return [*findings, Finding(Kind.LAYOUT, root / "gt.txt", str(error))]
    rng = np.random.default_rng(0)
    for seen in looks:
        if not seen.problem and (signs_there := boxes.get(seen.path.stem)):
            try:
                gtsdb.place(seen.path, seen.size_wh[::-1], signs_there, rng)
            except DataError as error:
                findings.append(Finding(Kind.COVERED, seen.path, str(error)))
    return findings

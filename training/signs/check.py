"""Check crops of signs: GTSRB, or one folder per class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from perception.pictures import SUFFIXES
from training.check.pictures import Look, Picture, each, look, picture_problems
from training.check.problems import (
    LARGEST_SIDE,
    SMALLEST_SIDE,
    Check,
    Kind,
    Problem,
    by_kind,
    counted,
)
from training.datasets import folders, gtsdb, gtsrb
from training.datasets.images import DataError, SignImage, SignSet, files, is_hidden
from training.signs import data as signs
from training.split import split_by_track, validates

SMALL_CLASS = 0.1  # of the largest class
NOTES = (".csv", ".json", ".txt", ".xml")  # are beside pictures and are none


def check(
    root: Path,
    *,
    background: Path | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
    hold_out: Sequence[str] = (),
) -> list[Problem]:
    """Check a data set of signs, split as ``SignData`` splits it; arguments as there.

    Returns:
        Everything that is wrong, by kind, errors first.
    """
    problems = _of_background(background, val_fraction) if background else []
    try:
        is_gtsrb = gtsrb.is_gtsrb(root)
        dataset = gtsrb.read(root) if is_gtsrb else folders.list_classes(root, in_part=True)
        rest, _ = signs.without(dataset, hold_out)
    except DataError as error:
        return by_kind([Problem(Kind.LAYOUT, root, str(error)), *problems])
    try:
        if not is_gtsrb:
            folders.read_flips(root / "flips.json", dataset.labels)
    except DataError as error:
        problems.append(Problem(Kind.LAYOUT, root, str(error)))
    train, _ = split_by_track(rest.images, val_fraction=val_fraction, seed=seed)
    training = {image.path for image in train}
    pictures = [
        Picture(image.path, dataset.labels[image.class_id], image.path in training)
        for image in dataset.images
    ]
    looks = each(look, [picture.path for picture in pictures])
    problems += [*_of_classes(root, dataset), *picture_problems(pictures, looks), *_of_sizes(looks)]
    if rest.images and len(training) == len(rest.images):
        problems.append(Problem(Kind.NO_SPLIT, root, "each class has only one track or picture"))
    return by_kind(problems)


def _of_sizes(looks: Sequence[Look]) -> Iterator[Problem]:
    for one in looks:
        size = "{}×{} px".format(*one.size_wh)
        if not one.problem and min(one.size_wh) < SMALLEST_SIDE:
            yield Problem(Kind.TINY, one.path, size)
        if min(one.size_wh) > LARGEST_SIDE:
            yield Problem(Kind.WHOLE, one.path, size)


def _of_classes(root: Path, dataset: SignSet) -> Iterator[Problem]:
    by_class: dict[int, list[SignImage]] = defaultdict(list)
    for image in dataset.images:
        by_class[image.class_id].append(image)
    if len(by_class) < 2:
        names = ", ".join(dataset.labels[class_id] for class_id in by_class) or "none"
        yield Problem(Kind.ONE_CLASS, root, f"classes with pictures: {names}")
    # The folders of classes are side by side in all layouts.
    bases = {image.path.parent.parent for image in dataset.images} or {root}
    yield from _of_folders(sorted(f for base in bases if base.is_dir() for f in folders.class_folders(base)))
    yield from _of_counts(root, dataset.labels, by_class)


def _of_folders(class_folders: Sequence[Path]) -> Iterator[Problem]:
    for folder in class_folders:
        if not files(folder):
            yield Problem(Kind.EMPTY, folder, folders.no_pictures(folder))
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in (*SUFFIXES, *NOTES) and not is_hidden(path):
                yield Problem(Kind.UNUSED, path, f"no {', '.join(SUFFIXES)} directly in {folder.name}")


def _of_counts(
    root: Path, labels: Sequence[str], by_class: Mapping[int, Sequence[SignImage]]
) -> Iterator[Problem]:
    largest = max(map(len, by_class.values()), default=0)
    is_gtsrb = gtsrb.is_gtsrb(root)
    for class_id, label in enumerate(labels):
        images = by_class.get(class_id, ())
        if not images:
            # The folders of one's own classes are empty then, which was said.
            if is_gtsrb:
                yield Problem(Kind.ABSENT, root, f"class {class_id}, {label}")
            continue
        folder, tracks = images[0].path.parent, len({image.track for image in images})
        if tracks < 2:
            yield Problem(Kind.NO_VALIDATION, folder, f"{label}: only one track or picture")
        if len(images) < SMALL_CLASS * largest:
            message = f"{label}: {counted(len(images), 'picture')}; the largest has {largest}"
            yield Problem(Kind.SMALL, folder, message)


def _of_background(root: Path, val_fraction: float) -> list[Problem]:
    paths = files(root) if root.is_dir() else []
    if not paths:
        return [Problem(Kind.EMPTY, root, "no pictures to cut background from")]
    pictures = [
        Picture(path, "background", not validates(number, val_fraction)) for number, path in enumerate(paths)
    ]
    looks = each(look, paths)
    problems = picture_problems(pictures, looks)
    if len(paths) < 2:
        problems.append(
            Problem(Kind.NO_SPLIT, root, "one picture of background; two are needed, one of them to learn")
        )
    try:
        boxes = gtsdb.boxes(root)
    except DataError as error:
        return [*problems, Problem(Kind.LAYOUT, root / "gt.txt", str(error))]
    rng = np.random.default_rng(0)
    for one in looks:
        if not one.problem and (boxes_here := boxes.get(one.path.stem)):
            try:
                gtsdb.crop_position(one.path, one.size_wh[::-1], boxes_here, rng)
            except DataError as error:
                problems.append(Problem(Kind.COVERED, one.path, str(error)))
    return problems


CHECK = Check(problems=check, claims=gtsrb.is_gtsrb, content="signs", config="signs.yaml", takes_rest=True)

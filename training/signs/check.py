"""Check crops of signs: GTSRB, or one folder per class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.check.pictures import Look, Picture, each, look, picture_problems, unused
from training.check.problems import (
    LARGEST_SIDE,
    SMALLEST_SIDE,
    Check,
    Kind,
    Problem,
    by_kind,
    counted,
    few,
    of_names,
)
from training.datasets import folders, gtsdb, gtsrb, parts
from training.datasets.excluded import Excluded
from training.datasets.images import DataError, SignImage, SignSet, files
from training.datasets.text import alike
from training.signs import data as signs
from training.split import split_by_track, validates

SMALL_CLASS = 0.1  # of the largest class
# Names of folders that hold what is no sign, in the languages of the teams that we know.
CATCH_ALL = {
    *("background", "unknown", "negative", "negatives", "none", "nothing", "other", "others", "no sign"),
    *("no signs", "nosign", "not a sign", "non sign", "empty", "false positive", "false positives", "noise"),
    *("hintergrund", "unbekannt", "nichts", "kein schild", "keine", "sonstige", "sonstiges", "andere"),
}


def check(
    root: Path,
    *,
    background: Path | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
    hold_out: Sequence[str] = (),
    exclude: str | Path | None = None,
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
    excluded = Excluded.read(exclude, root, dataset.images)
    dataset = replace(dataset, images=tuple(excluded.rest(dataset.images)))
    pictures = [
        Picture(image.path, dataset.labels[image.class_id], image.path in training)
        for image in dataset.images
    ]
    looks = each(look, [picture.path for picture in pictures])
    problems += [
        *_of_classes(root, dataset, background),
        *picture_problems(pictures, looks),
        *_of_sizes(looks),
    ]
    if rest.images and len(training) == len(rest.images):
        why = f"no pictures in folders of classes in {parts.part(root, 'val')}" if _is_split(rest) else ""
        problems.append(Problem(Kind.NO_SPLIT, root, why or "each class has only one track or picture"))
    return by_kind(problems)


def summary(root: Path) -> str:
    """What a data set of signs is taken for; of one that is split already, both numbers of pictures.

    Raises:
        DataError: it cannot be read.
    """
    dataset = signs.read(root, in_part=True)
    val = sum(image.part == "val" for image in dataset.images)
    numbers = f"{len(dataset.images) - val} + {val}" if _is_split(dataset) else f"{len(dataset.images)}"
    return f"{few(dataset.labels)}, {numbers} {'picture' if numbers == '1' else 'pictures'}"


def _is_split(dataset: SignSet) -> bool:
    return any(image.part for image in dataset.images)


def _of_sizes(looks: Sequence[Look]) -> Iterator[Problem]:
    for one in looks:
        size = "{}×{} px".format(*one.size_wh)
        if not one.problem and min(one.size_wh) < SMALLEST_SIDE:
            yield Problem(Kind.TINY, one.path, size)
        if min(one.size_wh) > LARGEST_SIDE:
            yield Problem(Kind.WHOLE, one.path, size)


def _of_classes(root: Path, dataset: SignSet, background: Path | None) -> Iterator[Problem]:
    by_class: dict[int, list[SignImage]] = defaultdict(list)
    for image in dataset.images:
        by_class[image.class_id].append(image)
    if len(by_class) < 2:
        names = ", ".join(dataset.labels[class_id] for class_id in by_class) or "none"
        yield Problem(Kind.ONE_CLASS, root, f"classes with pictures: {names}")
    # The folders of classes are side by side in all layouts.
    learnt = [image for image in dataset.images if image.part != "val"]
    bases = {image.path.parent.parent for image in learnt} or {folders.learnt_folder(root)}
    for folder in (f for base in sorted(bases) if base.is_dir() for f in folders.class_folders(base)):
        if files(folder):
            yield from unused(folder)
        else:
            yield Problem(Kind.EMPTY, folder, folders.no_pictures(folder))
    if not gtsrb.is_gtsrb(root):
        yield from _of_own(root, dataset, background)
    yield from _of_counts(root, dataset.labels, by_class)


def _of_own(root: Path, dataset: SignSet, background: Path | None) -> Iterator[Problem]:
    """What can be wrong with anyone's own folders, and not with GTSRB's."""
    base = folders.learnt_folder(root)
    classes = folders.class_folders(base)
    yield from of_names([(folder, folder.name) for folder in classes])
    for folder in classes:
        if alike(folder.name).replace("_", " ").replace("-", " ") in CATCH_ALL:
            yield Problem(Kind.NO_SIGN, folder, "is it a sign?")
    for path in files(root):
        yield Problem(Kind.UNUSED, path, "in no folder of a class")
    if base != root:
        used = background.resolve() if background else None
        for folder in parts.subfolders(root):
            if not parts.part_of(folder.name) and folder.resolve() != used:
                yield Problem(Kind.UNUSED, folder, f"beside {base.name}/, from which classes are learnt")
        for path in files(base):
            yield Problem(Kind.UNUSED, path, "in no folder of a class")
        if _is_split(dataset):
            for folder in parts.subfolders(parts.part(root, "val")):
                yield from unused(folder)


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
        if any(image.part for image in images):
            if all(image.part == "train" for image in images):
                yield Problem(Kind.NO_VALIDATION, folder, f"{label}: no picture to validate on")
        elif tracks < 2:
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
    problems = [*picture_problems(pictures, looks), *unused(root)]
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


CHECK = Check(
    problems=check,
    claims=gtsrb.is_gtsrb,
    content="signs",
    config="signs.yaml",
    takes_rest=True,
    summary=summary,
)

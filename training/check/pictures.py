"""Check single pictures: whether they can be read, and whether they occur twice, or nearly."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from perception import pictures as files
from perception.errors import FrameError
from perception.paths import is_lfs_pointer, lfs_remedy, natural_order
from training.check.problems import Kind, Problem
from training.datasets.images import is_hidden

# A copy saved or scaled again differs in few of the 256 bits of its sketch; pictures of different signs in
# GTSRB differ in 16 at least.
SKETCH_HW = (16, 16)
ALIKE = 12
PLAIN = 32  # bits set; with fewer, a picture is too plain to differ from others
NOTES = (".csv", ".json", ".txt", ".xml")  # are beside pictures and are none
CHUNK = 100_000  # OpenCV looks among 2¹⁸ at once at most

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Picture:
    """Where a picture is, its class, and on which side of the split it is."""

    path: Path
    label: str
    is_training: bool


@dataclass(frozen=True)
class Look:
    """What one look at a picture shows: its size, what its pixels are, or why it cannot be read."""

    path: Path
    size_wh: tuple[int, int] = (0, 0)
    digest: bytes = b""
    sketch: bytes = b""
    problem: str = ""


def look(path: Path) -> Look:
    """Look at one picture; nothing is raised."""
    try:
        image = files.read(path)
    except FrameError as error:
        return Look(path, problem=why_unreadable(path, error))
    return look_at(path, image)


def look_at(path: Path, image: NDArray[np.uint8]) -> Look:
    """The same of a picture (H, W, 3) BGR that is read already."""
    height, width = image.shape[:2]
    size = b"%dx%d" % (width, height)
    # Pixels, not bytes of the file: a copy may have been saved in another format.
    digest = hashlib.blake2b(image.tobytes() + size).digest()
    return Look(path, (width, height), digest, _sketch(image))


def why_unreadable(path: Path, error: FrameError) -> str:
    """What is wrong with a picture or label image that the reader refused."""
    if path.is_file() and error.reason != "depth":
        try:
            if is_lfs_pointer(path):
                return lfs_remedy()
        except OSError:
            pass  # the error says so
    return str(error)


def _sketch(image: NDArray[np.uint8]) -> bytes:
    """Where a picture grows brighter to the right, one bit for each of 16×16 cells (a difference hash)."""
    rows, columns = SKETCH_HW
    grey = cv2.resize(
        cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (columns + 1, rows), interpolation=cv2.INTER_AREA
    )
    brighter = grey[:, 1:] > grey[:, :-1]
    return np.packbits(brighter).tobytes() if brighter.sum() >= PLAIN else b""


def picture_problems(pictures: Iterable[Picture], looks: Iterable[Look]) -> list[Problem]:
    """Pictures that cannot be read, and those that occur more than once, or nearly so on both sides.

    Of copies, those in training come first, and the others are compared with the first of them.
    """
    problems = []
    sketched: dict[bool, list[tuple[Picture, Look]]] = {True: [], False: []}
    same: dict[bytes, list[Picture]] = defaultdict(list)
    for picture, look in zip(pictures, looks):
        if look.problem:
            problems.append(Problem(Kind.UNREADABLE, picture.path, look.problem))
        else:
            same[look.digest].append(picture)
            if look.sketch:
                sketched[picture.is_training].append((picture, look))
    for copies in same.values():
        first, *others = sorted(copies, key=lambda picture: not picture.is_training)
        for other in others:
            if other.label != first.label:
                problem = Problem(
                    Kind.TWO_CLASSES, other.path, f"{other.label} here, {first.label} as {first.path}"
                )
            elif other.is_training != first.is_training:
                problem = Problem(Kind.LEAK, other.path, f"in validation; in training as {first.path}")
            else:
                problem = Problem(Kind.COPY, other.path, f"the same as {first.path}")
            problems.append(problem)
    return problems + _alike(train=sketched[True], val=sketched[False])


def _alike(*, train: list[tuple[Picture, Look]], val: list[tuple[Picture, Look]]) -> list[Problem]:
    """Validation pictures that look like one in training, but are none of its copies."""
    if not train or not val:
        return []
    theirs, ours = (
        np.stack([np.frombuffer(look.sketch, np.uint8) for _, look in side]) for side in (train, val)
    )
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    matcher.add([theirs[start : start + CHUNK] for start in range(0, len(theirs), CHUNK)])
    problems = []
    for match in matcher.match(ours):
        picture, own = val[match.queryIdx]
        nearest, other = train[match.imgIdx * CHUNK + match.trainIdx]
        if match.distance <= ALIKE and own.digest != other.digest:
            message = f"in validation; nearly the same in training: {nearest.path}"
            problems.append(Problem(Kind.ALIKE, picture.path, message))
    return problems


def unused(folder: Path, *, suffixes: Sequence[str] = files.SUFFIXES) -> Iterator[Problem]:
    """What is in a folder of pictures and is none that training reads, but for notes and hidden files."""
    for path in sorted(folder.iterdir(), key=natural_order):
        is_picture = path.suffix.lower() in suffixes and path.is_file()
        if not is_picture and path.suffix.lower() not in NOTES and not is_hidden(path):
            yield Problem(Kind.UNUSED, path, f"no {', '.join(suffixes)} directly in {folder.name}")


def each(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The function of each item, on all cores, with a progress bar on a terminal."""
    console = Console(stderr=True)
    with ThreadPoolExecutor() as pool:  # decoding and hashing leave Python free
        results = pool.map(function, items)
        if not console.is_terminal:
            return list(results)
        return list(track(results, "Looking at pictures", total=len(items), console=console, transient=True))

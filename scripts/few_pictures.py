"""Make a small data set out of GTSRB: ten pictures of each class to learn from, fifty to test.

    python -m scripts.few_pictures GTSRB OUT "Speed limit 30" "No entry" …

OUT/learn and OUT/test have one folder per class; no physical sign is in both.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from itertools import chain, zip_longest
from pathlib import Path

from training.datasets.images import DataError, SignImage
from training.signs import data as signs

LEARN, TEST = 10, 50


def in_turns(tracks: list[list[SignImage]], count: int) -> list[SignImage]:
    """As many pictures as wanted, from as many tracks as possible, the last and largest of each first."""
    turns = chain.from_iterable(zip_longest(*(reversed(track) for track in tracks)))
    return [image for image in turns if image is not None][:count]


def main() -> None:
    """Copy the pictures."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.few_pictures", description="Make a small data set out of GTSRB."
    )
    parser.add_argument("root", type=Path, help="GTSRB")
    parser.add_argument("out", type=Path, help="where learn/ and test/ go")
    parser.add_argument("names", nargs="+", metavar="CLASS", help="name of a class, as 'No entry'")
    options = parser.parse_args()
    root, out, names = options.root, options.out, options.names
    try:
        data_set = signs.read(root)
    except DataError as error:
        sys.exit(str(error))
    missing = [name for name in names if name not in data_set.labels]
    if missing:
        sys.exit(f"no class {missing} in {root}; it has {', '.join(data_set.labels)}")
    for name in names:
        tracks: dict[str, list[SignImage]] = {}
        for image in data_set.images:
            if data_set.labels[image.class_id] == name:
                tracks.setdefault(image.track, []).append(image)
        every = list(tracks.values())
        half = len(every) // 2
        for part, images in (
            ("learn", in_turns(every[:half], LEARN)),
            ("test", in_turns(every[half:], TEST)),
        ):
            folder = out / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for image in images:
                shutil.copy(image.path, folder)


if __name__ == "__main__":
    main()

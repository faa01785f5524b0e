"""Split CamVid anew: one of its three drives validates, the other two train.

    python -m scripts.held_out_drive CamVid 0006R0 OUT
    python -m scripts.held_out_drive CamVid 0006R0 FEW --learn 10

The tutorial's validation pictures come from a drive that trains as well (0016E5). Only a drive of its own
shows how a net reads streets that it has never seen. With --learn, that drive's second half validates and a
few pictures of its first half train, as if a team had labelled some pictures of its own.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from training.datasets import camvid
from training.datasets.images import DataError


def main() -> None:
    """Copy pictures and label images."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.held_out_drive", description="Split CamVid anew, by drive."
    )
    parser.add_argument("root", type=Path, help="CamVid")
    parser.add_argument("drive", help="how the names of its pictures start: 0001TP, 0006R0 or 0016E5")
    parser.add_argument("out", type=Path, help="the folder to make, of the same layout")
    parser.add_argument(
        "--learn", type=int, metavar="N", help="train on that many pictures of the drive's first half alone"
    )
    options = parser.parse_args()
    try:
        masks = camvid.read(options.root)
    except (DataError, OSError) as error:
        sys.exit(str(error))
    images = masks.train + masks.val
    drives = sorted({image.path.name.split("_")[0] for image in images})
    if options.drive not in drives:
        sys.exit(f"no drive {options.drive} in {options.root}; it has {', '.join(drives)}")
    if options.out.exists():
        sys.exit(f"{options.out} is there already; another split in it would mix the drives")
    held_out = sorted(
        (image for image in images if image.path.name.startswith(options.drive)),
        key=lambda image: image.path.name,
    )
    train = [image for image in images if image not in held_out]
    if options.learn is not None:
        half = len(held_out) // 2
        if not 1 <= options.learn <= half:
            sys.exit(f"--learn {options.learn}: half of the drive has {half} pictures")
        train = [held_out[number * half // options.learn] for number in range(options.learn)]
        held_out = held_out[half:]
    options.out.mkdir(parents=True)
    if (options.root / "classes.json").is_file():
        shutil.copy(options.root / "classes.json", options.out)
    for split, chosen in (("train", train), ("val", held_out)):
        for folder in (split, f"{split}annot"):
            (options.out / folder).mkdir(parents=True)
        for image in chosen:
            shutil.copy(image.path, options.out / split)
            shutil.copy(image.mask_path, options.out / f"{split}annot")


if __name__ == "__main__":
    main()

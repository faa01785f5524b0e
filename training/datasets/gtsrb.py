"""German Traffic Sign Recognition Benchmark (Stallkamp et al. 2012), as published and as on Kaggle."""

from __future__ import annotations

import csv
from pathlib import Path

from training.datasets.folders import FRAME, class_folders
from training.datasets.images import DataError, SignImage, SignSet, files

LABELS = (
    "Speed limit 20",
    "Speed limit 30",
    "Speed limit 50",
    "Speed limit 60",
    "Speed limit 70",
    "Speed limit 80",
    "End of speed limit 80",
    "Speed limit 100",
    "Speed limit 120",
    "No overtaking",
    "No overtaking by lorries",
    "Right of way at next crossing",
    "Priority road",
    "Give way",
    "Stop",
    "No vehicles",
    "No lorries",
    "No entry",
    "Danger",
    "Bend to left",
    "Bend to right",
    "Double bend",
    "Uneven road",
    "Slippery road",
    "Road narrows on right",
    "Road works",
    "Traffic lights",
    "Pedestrians",
    "Children",
    "Cyclists",
    "Ice or snow",
    "Wild animals",
    "End of all limits",
    "Turn right ahead",
    "Turn left ahead",
    "Ahead only",
    "Straight or right",
    "Straight or left",
    "Keep right",
    "Keep left",
    "Roundabout",
    "End of no overtaking",
    "End of no overtaking by lorries",
)

# Mirror images that are signs again; digits, lorries and the like must not be flipped.
FLIPS = (
    {c: c for c in (11, 12, 13, 15, 17, 18, 22, 26, 30, 35)}
    | {19: 20, 20: 19, 33: 34, 34: 33}
    | {36: 37, 37: 36, 38: 39, 39: 38}
)


def read(root: Path) -> SignSet:
    """Read the training part of GTSRB.

    Args:
        root: a folder with ``Final_Training/Images/CCCCC/TTTTT_FFFFF.*``, also with ``GTSRB/`` above it, or
            with Kaggle's ``Train.csv`` (columns ``ClassId`` and ``Path``); or the folder of either that holds
            the classes.

    Raises:
        DataError: neither layout is there.
    """
    images = _kaggle(root) if (root / "Train.csv").is_file() else _official(root)
    if not images:
        raise DataError(f"{root} holds no GTSRB training images")
    # The images show a tenth of its size around each sign, five pixels at least.
    return SignSet("GTSRB", LABELS, tuple(images), FLIPS, box_margin=0.1)


def is_gtsrb(root: Path) -> bool:
    """Whether the folder has one of the two layouts."""
    return (root / "Train.csv").is_file() or _class_folders(root) is not None


def _class_folders(root: Path) -> Path | None:
    for base in (root, root / "GTSRB"):
        if (base / "Final_Training" / "Images").is_dir():
            return base / "Final_Training" / "Images"
    # As somebody's own class folders, the frames of one sign would be on both sides of the split.
    classes = class_folders(root)
    if not all(folder.name.isdigit() and int(folder.name) < len(LABELS) for folder in classes):
        return None  # other countries' signs are kept alike
    first = [path.name for folder in classes for path in files(folder)[:1]]
    return root if first and all(FRAME.fullmatch(name) for name in first) else None


def _official(root: Path) -> list[SignImage]:
    base = _class_folders(root)
    if base is None:
        raise DataError(
            f"{root} has neither Final_Training/Images (official layout) nor Train.csv (Kaggle's)"
        )
    images = []
    for folder in class_folders(base):
        class_id = _class_id(folder.name, folder)
        images += [SignImage(path, class_id, _track(class_id, path)) for path in files(folder)]
    return images


def _kaggle(root: Path) -> list[SignImage]:
    listed = root / "Train.csv"
    try:
        with listed.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{listed}: {error}; copy it again") from error
    images = []
    for row in rows:
        if not row.get("Path") or not row.get("ClassId"):
            raise DataError(f"{listed} lacks Path or ClassId in {row}; copy it again")
        path = root / row["Path"]
        class_id = _class_id(row["ClassId"], listed)
        images.append(SignImage(path, class_id, _track(class_id, path)))
    return images


def _class_id(text: str, where: Path) -> int:
    if not text.isdigit() or int(text) >= len(LABELS):
        raise DataError(f"{where}: {text!r} is no GTSRB class; expected 0 to {len(LABELS) - 1}")
    return int(text)


def _track(class_id: int, path: Path) -> str:
    frame = FRAME.fullmatch(path.name)
    if frame is None:
        raise DataError(
            f"{path} is not named as GTSRB's pictures are, TRACK_FRAME, so its track is unknown; rename it "
            "or take it out"
        )
    return f"{class_id:05d}/{frame['track']}"

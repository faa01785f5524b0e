"""German Traffic Sign Recognition Benchmark (Stallkamp et al. 2012), as published and as on Kaggle."""

from __future__ import annotations

from pathlib import Path

from training.datasets.folders import FRAME, class_folders
from training.datasets.images import DataError, Outline, SignImage, SignSet, files
from training.datasets.text import read_rows

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

# Corners of the signs in the images, whose margin is a twelfth on each side; the others are discs.
UP: Outline = ((0.5, 0.07), (0.95, 0.9), (0.05, 0.9))
DOWN: Outline = ((0.05, 0.1), (0.95, 0.1), (0.5, 0.93))
DIAMOND: Outline = ((0.5, 0.06), (0.94, 0.5), (0.5, 0.94), (0.06, 0.5))
STOP: Outline = (
    *((0.33, 0.08), (0.67, 0.08), (0.92, 0.33), (0.92, 0.67)),
    *((0.67, 0.92), (0.33, 0.92), (0.08, 0.67), (0.08, 0.33)),
)
CORNERED = dict.fromkeys((11, *range(18, 32)), UP) | {12: DIAMOND, 13: DOWN, 14: STOP}
OUTLINES: dict[int, Outline] = dict.fromkeys(range(len(LABELS)), ()) | CORNERED


def read(root: Path) -> SignSet:
    """Read the training part of GTSRB.

    Args:
        root: a folder with ``Final_Training/Images/CCCCC/TTTTT_FFFFF.*``, also with ``GTSRB/`` above it, or
            with Kaggle's ``Train.csv`` (columns ``ClassId`` and ``Path``), or torchvision's
            (``gtsrb/GTSRB/Training/``); or the folder of any that holds the classes.

    Raises:
        DataError: neither layout is there.
    """
    listed = _listed(root)
    images = _kaggle(root, listed) if listed else _official(root)
    if not images:
        raise DataError(f"{root} holds no GTSRB training images")
    # The images show a tenth of its size around each sign, five pixels at least.
    return SignSet("GTSRB", LABELS, tuple(images), FLIPS, box_margin=0.1, outlines=OUTLINES)


def is_gtsrb(root: Path) -> bool:
    """Whether the folder has one of these layouts."""
    return _listed(root) is not None or _class_folders(root) is not None


def _listed(root: Path) -> Path | None:
    """Kaggle's table. In small letters, its columns have to be GTSRB's as well."""
    if (root / "Train.csv").is_file():
        return root / "Train.csv"
    for path in sorted(root.glob("*.csv")):
        if path.name.lower() == "train.csv":
            rows = read_rows(path)[:1]
            return (
                path if rows and {"classid", "path"} <= {name.strip().lower() for name in rows[0]} else None
            )
    return None


def _class_folders(root: Path) -> Path | None:
    bases = (root, root / "GTSRB", root / "gtsrb" / "GTSRB")
    for base in bases:
        if (base / "Final_Training" / "Images").is_dir():
            return base / "Final_Training" / "Images"
    # As somebody's own class folders, the frames of one sign would be on both sides of the split.
    within = [base / name for base in bases for name in ("Training", "Train", "train", "Images")]
    return next((folder for folder in (root, *within) if _holds_classes(folder)), None)


def _holds_classes(folder: Path) -> bool:
    """Whether folders and pictures have GTSRB's numbers; other countries' signs have others."""
    classes = class_folders(folder)
    if not all(one.name.isdigit() and int(one.name) < len(LABELS) for one in classes):
        return False
    first = [path.name for one in classes for path in files(one)[:1]]
    return bool(first) and all(FRAME.fullmatch(name) for name in first)


def _official(root: Path) -> list[SignImage]:
    base = _class_folders(root)
    if base is None:
        raise DataError(
            f"{root} has neither Final_Training/Images (official layout), Training/ (torchvision's) nor "
            "Train.csv (Kaggle's)"
        )
    images = []
    for folder in class_folders(base):
        class_id = _class_id(folder.name, folder)
        images += [SignImage(path, class_id, _track(class_id, path)) for path in files(folder)]
    return images


def _kaggle(root: Path, listed: Path) -> list[SignImage]:
    """The pictures that the table lists, whose folders may be written in other letters than they have."""
    header, *rows = read_rows(listed) or [[]]
    columns = [name.strip().lower() for name in header]
    if not {"classid", "path"} <= set(columns):
        raise DataError(f"{listed} has the columns {header}, without Path or ClassId; copy it again")
    images = []
    folders: dict[Path, Path] = {}
    for row in rows:
        entry = dict(zip(columns, (cell.strip() for cell in row)))
        if not entry.get("path") or not entry.get("classid"):
            raise DataError(f"{listed} lacks Path or ClassId in {row}; copy it again")
        written = root / entry["path"].replace("\\", "/")
        if written.parent not in folders:
            folders[written.parent] = _found(root, written.parent)
        path = folders[written.parent] / written.name
        class_id = _class_id(entry["classid"], listed)
        images.append(SignImage(path, class_id, _track(class_id, path)))
    return images


def _found(root: Path, folder: Path) -> Path:
    """The folder as it is called on this disk, which may distinguish capitals; as written if it is not."""
    found = root
    for name in folder.relative_to(root).parts:
        others = found.iterdir() if found.is_dir() and not (found / name).is_dir() else ()
        alike = [path for path in others if path.name.lower() == name.lower()]
        found = alike[0] if alike else found / name
    return found


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

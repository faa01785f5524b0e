"""Plant wrong labels in a data set, and say how many of them an audit puts first.

    python -m scripts.planted_labels signs GTSRB OUT --tracks 5
    python -m scripts.planted_labels masks CAMVID OUT
    python -m scripts.planted_labels tracks OUT --count 200
    python -m scripts.planted_labels boxes GTSDB OUT
    python -m training audit OUT --out AUDIT
    python -m scripts.planted_labels score OUT AUDIT

Of the signs, one in fifty is put into another class, by chance: single frames, or with --whole all frames of
a sign. Of the masks, one in fifty is shifted by a thirtieth to a fifteenth of the picture, or has one half
painted as the first class. Of the boxes, one in fifty is moved by half its size, missing, or of another
class.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import camvid, gtsdb, gtsrb
from training.datasets.images import DataError, SignImage
from training.datasets.rendered_tracks import LABELS, PALETTE, render

SHARE = 0.02
WORST = 2  # times as many pictures as are planted, in which these should be: 4 % of all
SIZE_HW = (120, 160)  # of rendered tracks
PLANTED = "planted.json"
NEW_TRACK = 90_000  # numbers of tracks from which on they are in no data set

Planted = list[dict[str, str]]


def main() -> None:
    """Plant, or score."""
    parser = argparse.ArgumentParser(prog="python -m scripts.planted_labels", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True)
    for name, function in (("signs", signs), ("masks", masks), ("boxes", boxes), ("tracks", tracks)):
        command = commands.add_parser(name)
        if name != "tracks":
            command.add_argument("root", type=Path)
        command.add_argument("out", type=Path)
        command.add_argument("--seed", type=int, default=0)
        command.set_defaults(function=function)
        if name == "signs":
            command.add_argument("--tracks", type=int, default=5, help="of each class (default: 5)")
            command.add_argument("--whole", action="store_true", help="all frames of a sign are wrong")
        if name == "tracks":
            command.add_argument("--count", type=int, default=200)
    command = commands.add_parser("score")
    command.add_argument("out", type=Path)
    command.add_argument("audit", type=Path)
    command.set_defaults(function=None)
    options = parser.parse_args()
    if options.function is None:
        print(score(options.out, options.audit))
        return
    if options.out.exists():
        sys.exit(f"{options.out} is there already; give the name of a new folder")
    try:
        planted = options.function(options, np.random.default_rng(options.seed))
    except (DataError, OSError) as error:
        sys.exit(str(error))
    (options.out / PLANTED).write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")
    print(f"{options.out}: {len(planted)} wrong labels")


def signs(options: Any, rng: np.random.Generator) -> Planted:
    """Some tracks of each class of GTSRB, of which some frames, or tracks, are in the folder of another."""
    by_track: dict[str, list[SignImage]] = defaultdict(list)
    for image in gtsrb.read(options.root).images:
        by_track[image.track].append(image)
    by_class: dict[int, list[str]] = defaultdict(list)
    for track, images in by_track.items():
        by_class[images[0].class_id].append(track)
    names = [
        str(one) for tracks in by_class.values() for one in rng.permutation(sorted(tracks))[: options.tracks]
    ]
    frames = [image for name in names for image in by_track[name]]
    wrong_tracks, wrong_frames = set(drawn(names, rng)), set(drawn(range(len(frames)), rng))
    planted, numbers = [], {name: NEW_TRACK + number for number, name in enumerate(names)}
    other = {name: int(rng.integers(1, len(gtsrb.LABELS))) for name in names}
    for number, image in enumerate(frames):
        class_id, name = image.class_id, image.path.name
        if image.track in wrong_tracks if options.whole else number in wrong_frames:
            shift = other[image.track] if options.whole else int(rng.integers(1, len(gtsrb.LABELS)))
            class_id = (class_id + shift) % len(gtsrb.LABELS)
            name = f"{numbers[image.track]:05d}_{image.path.stem[-5:]}{image.path.suffix}"
        target = options.out / "Final_Training" / "Images" / f"{class_id:05d}" / name
        link(image.path, target)
        if class_id != image.class_id:
            planted.append(entry(target, options.out, "wrong class"))
    return planted


def masks(options: Any, rng: np.random.Generator) -> Planted:
    """CamVid's pictures, some with a mask that is shifted or half missing."""
    dataset = camvid.read(options.root)
    planted: Planted = []
    for part, images in (("train", dataset.train), ("val", dataset.val)):
        wrong = set(drawn(range(len(images)), rng))
        for number, image in enumerate(images):
            link(image.path, options.out / part / image.path.name)
            target = options.out / f"{part}annot" / image.mask_path.name
            if number in wrong:
                kind, mask = spoilt(cv2.imread(str(image.mask_path), cv2.IMREAD_UNCHANGED), rng, empty=11)
                write(target, mask)
                planted.append(entry(options.out / part / image.path.name, options.out, kind))
            else:
                link(image.mask_path, target)
    return planted


def tracks(options: Any, rng: np.random.Generator) -> Planted:
    """Rendered tracks, some with such a mask."""
    planted: Planted = []
    wrong = set(drawn(range(options.count), rng))
    for number in range(options.count):
        frame, mask = render(options.seed * 100_000 + number, SIZE_HW)
        picture = options.out / "images" / f"{number:05d}.png"
        if number in wrong:
            kind, mask = spoilt(mask, rng, empty=255)
            planted.append(entry(picture, options.out, kind))
        write(picture, frame)
        write(options.out / "masks" / picture.name, mask)
    classes = [{"name": name, "color": color} for name, color in zip(LABELS, PALETTE)]
    (options.out / "classes.json").write_text(json.dumps(classes), encoding="utf-8")
    return planted


def boxes(options: Any, rng: np.random.Generator) -> Planted:
    """GTSDB's pictures, some with a box that is moved, missing or of another class."""
    dataset = gtsdb.read(options.root)
    places = [(image, number) for image in dataset.images for number in range(len(image.boxes))]
    wrong = dict.fromkeys(drawn(range(len(places)), rng), "")
    lines: list[str] = []
    planted: Planted = []
    for rank, place in enumerate(wrong):
        wrong[place] = ("moved", "missing", "another class")[rank % 3]
    for image in dataset.images:
        link(image.path, options.out / image.path.name)
    for place, (image, number) in enumerate(places):
        kind, class_id = wrong.get(place, ""), image.class_ids[number]
        box = np.array(image.boxes[number], np.float64)
        if kind:
            planted.append(entry(options.out / image.path.name, options.out, kind))
        if kind == "moved":
            box += np.tile((box[2:] - box[:2]) / 2 * rng.choice([-1, 1], 2), 2)
        if kind == "another class":
            class_id = (class_id + int(rng.integers(1, len(gtsrb.LABELS)))) % len(gtsrb.LABELS)
        if kind != "missing":
            values = ";".join(f"{value:.0f}" for value in np.maximum(box, 0))
            lines.append(f"{image.path.name};{values};{class_id}")
    (options.out / "gt.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return planted


def drawn(names: Sequence[Any] | range, rng: np.random.Generator) -> list[Any]:
    """SHARE of them, by chance, but two at least, so that there is one of each kind."""
    count = max(2, round(SHARE * len(names)))
    return [names[int(place)] for place in rng.choice(len(names), count, replace=False)]


def spoilt(mask: NDArray[Any], rng: np.random.Generator, *, empty: int) -> tuple[str, NDArray[Any]]:
    """A mask that is shifted or half missing, and which of the two."""
    height, width = mask.shape
    if rng.integers(2):
        half = slice(0, width // 2) if rng.integers(2) else slice(width // 2, width)
        mask = mask.copy()
        mask[:, half] = 0
        return "half missing", mask
    right, down = (
        int(rng.choice([-1, 1]) * rng.integers(side // 30, side // 15 + 1)) for side in (width, height)
    )
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    shifted = cv2.warpAffine(
        mask,
        move,
        (width, height),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=empty,
    )
    return "shifted", shifted


def link(source: Path, target: Path) -> None:
    """The same picture at another place, without a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source.resolve())


def write(path: Path, picture: NDArray[Any]) -> None:
    """A PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def entry(path: Path, root: Path, kind: str) -> dict[str, str]:
    """What planted.json says of one."""
    return {"file": path.relative_to(root).as_posix(), "kind": kind}


def score(out: Path, audit: Path) -> str:
    """How many of the planted are in the top of the audit's list, and among what it calls likely."""
    planted: Planted = json.loads((out / PLANTED).read_text(encoding="utf-8"))
    found = json.loads((audit / "audit.json").read_text(encoding="utf-8"))
    planted = [one for one in planted if one["file"] not in set(found["unseen"])]
    ranked = list(dict.fromkeys(one["file"] for one in found["labels"]))
    likely = {one["file"] for one in found["labels"] if one["likely"]}
    wrong = {one["file"] for one in planted}
    top = set(ranked[: WORST * len(wrong)])
    lines = [f"{out.name}: {len(wrong)} pictures of {found['seen']} have wrong labels; {found['judged_by']}"]
    for kind in sorted({one["kind"] for one in planted}):
        own = {one["file"] for one in planted if one["kind"] == kind}
        lines.append(f"  {kind}: {len(own & top)} of {len(own)} in the worst {len(top)}")
    lines.append(f"  all: {len(wrong & top) / len(wrong):.1%} in the worst {len(top)}")
    right = len(likely & wrong)
    lines.append(f"  likely wrong: {len(likely)} pictures, {right} of them planted")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Small street pictures with red discs for signs, in each form that boxes are written in."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 160, 192
Signs = list[tuple[int, int, int, int]]


def street(rng: np.random.Generator, *, signs: int = 2) -> tuple[np.ndarray, Signs]:
    """Noise with blue squares, and red discs of 20 to 36 px apart from each other; and the discs' boxes."""
    picture = rng.integers(60, 190, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    places = rng.permutation([(x, y) for x in range(3) for y in range(3)]).tolist()
    boxes = []
    for number, (column, row) in enumerate(places[: signs + 2]):
        size = int(rng.integers(20, 37))
        x, y = column * 64 + int(rng.integers(0, 64 - size)), row * 52 + int(rng.integers(0, 52 - size))
        if number < signs:
            cv2.circle(picture, (x + size // 2, y + size // 2), size // 2, (30, 30, 220), -1)
            boxes.append((x, y, x + size, y + size))
        else:
            cv2.rectangle(picture, (x, y), (x + size, y + size), (200, 60, 30), -1)
    return picture, boxes


def fill(folder: Path, count: int, *, seed: int = 0) -> dict[str, Signs]:
    """Pictures 00000.png and so on, and their boxes by name."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    listed = {}
    for number in range(count):
        picture, listed[f"{number:05d}.png"] = street(rng)
        cv2.imwrite(str(folder / f"{number:05d}.png"), picture)
    return listed


def gtsdb(root: Path, count: int = 10) -> Path:
    """Pictures beside gt.txt; every other sign is of class 14."""
    listed = fill(root, count)
    lines = [
        f"{name.replace('.png', '.ppm')};{x1};{y1};{x2};{y2};{14 * (number % 2)}"
        for name, boxes in listed.items()
        for number, (x1, y1, x2, y2) in enumerate(boxes)
    ]
    (root / "gt.txt").write_text("\n".join(lines) + "\n")
    return root


def yolo(root: Path) -> Path:
    """Roboflow's layout of YOLO: 6 pictures to train on, 4 to validate."""
    for part, count in (("train", 6), ("valid", 4), ("test", 1)):
        listed = fill(root / part / "images", count, seed=count)
        (root / part / "labels").mkdir()
        for name, boxes in listed.items():
            lines = [
                f"{number % 2} {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} "
                f"{(x2 - x1) / WIDTH} {(y2 - y1) / HEIGHT}"
                for number, (x1, y1, x2, y2) in enumerate(boxes)
            ]
            (root / part / "labels" / name).with_suffix(".txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [stop, yield]\n"
    )
    return root


def coco(root: Path) -> Path:
    """The layout of COCO itself: annotations/ beside a folder of pictures a part."""
    (root / "annotations").mkdir(parents=True)
    for part, count in (("train", 6), ("val", 4)):
        listed = fill(root / part, count, seed=count)
        images = [
            {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
            for number, name in enumerate(listed, start=7)
        ]
        annotations = [
            {"id": 0, "image_id": image["id"], "category_id": 3 + k % 2, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for image, boxes in zip(images, listed.values())
            for k, (x1, y1, x2, y2) in enumerate(boxes)
        ]
        content = {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 3, "name": "stop"}, {"id": 4, "name": "yield"}],
        }
        (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))
    return root


def voc(root: Path) -> Path:
    """The layout of Pascal VOC, with lists of the parts."""
    listed = fill(root / "JPEGImages", 10)
    (root / "Annotations").mkdir()
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for name, boxes in listed.items():
        objects = "".join(
            f"<object><name>{('stop', 'yield')[k % 2]}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for k, (x1, y1, x2, y2) in enumerate(boxes)
        )
        size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"
        (root / "Annotations" / name).with_suffix(".xml").write_text(text)
    names = [Path(name).stem for name in listed]
    (root / "ImageSets" / "Main" / "train.txt").write_text("\n".join(names[:6]) + "\n")
    (root / "ImageSets" / "Main" / "val.txt").write_text("\n".join(names[6:]) + "\n")
    return root

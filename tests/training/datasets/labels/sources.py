"""Small files of labels in each form, with whatever a test wants in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from perception.pictures import read_ids
from training.datasets.labels import Imported, Reason, import_labels

WIDTH, HEIGHT = 40, 30


def pictures(folder: Path, *names: str, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        picture = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return folder


def polygon(label: str | None, *points: tuple[float, float], z_order: int = 0) -> str:
    named = "" if label is None else f'label="{label}" '
    text = ";".join(f"{x},{y}" for x, y in points)
    return f'<polygon {named}points="{text}" z_order="{z_order}"/>'


def square(label: str | None, x1: float, y1: float, x2: float, y2: float, *, z_order: int = 0) -> str:
    return polygon(label, (x1, y1), (x2, y1), (x2, y2), (x1, y2), z_order=z_order)


def image(
    name: str, *shapes: str, number: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT), more: str = ""
) -> str:
    known = f'id="{number}" name="{name}" width="{size[0]}" height="{size[1]}" {more}'
    return f"<image {known}>{''.join(shapes)}</image>"


def cvat(root: Path, *images: str, labels: Sequence[str] = ("floor", "line")) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    named = "".join(
        f"<label><name>{name}</name><color>#0000{40 + n}</color></label>" for n, name in enumerate(labels)
    )
    meta = f"<meta><task><labels>{named}</labels></task></meta>"
    path = root / "annotations.xml"
    path.write_text(
        f'<?xml version="1.0"?><annotations><version>1.1</version>{meta}{"".join(images)}</annotations>'
    )
    return path


def coco(root: Path, annotations: Sequence[dict[str, object]], *, name: str = "a.png") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    content = {
        "images": [{"id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 5, "name": "line"}, {"id": 2, "name": "floor"}],
        "annotations": [{"id": n, "image_id": 1, **one} for n, one in enumerate(annotations, start=1)],
    }
    path = root / "labels.json"
    path.write_text(json.dumps(content))
    return path


def label_studio(
    root: Path, *results: dict[str, object], image: str = "/data/upload/1/0a1b2c3d-a.png"
) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    known = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    own = [{"id": f"r{n}", **known, **one} for n, one in enumerate(results)]
    path = root / "project.json"
    path.write_text(json.dumps([{"id": 3, "data": {"image": image}, "annotations": [{"result": own}]}]))
    return path


def masks(root: Path) -> dict[str, np.ndarray]:
    return {path.relative_to(root).as_posix(): read_ids(path) for path in sorted(root.rglob("masks/*.png"))}


def unmapped(done: Imported) -> set[tuple[Reason, str, str]]:
    """Reason, name of the file and place of each."""
    return {(one.reason, one.path.name, one.place) for one in done.unmapped}


def imported(source: Path, out: Path, **options: object) -> tuple[Imported, np.ndarray]:
    """What import says, and its only label image."""
    done = import_labels(source, out, **options)
    (mask,) = masks(out).values()
    return done, mask


def filled(x1: int, y1: int, x2: int, y2: int, value: int = 0, *, on: np.ndarray | None = None) -> np.ndarray:
    """A label image with a rectangle in it."""
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8) if on is None else on.copy()
    mask[y1:y2, x1:x2] = value
    return mask


EXPECTED = filled(5, 5, 9, 9, 1, on=filled(2, 3, 20, 21))  # a line on a floor

"""Street pictures with signs of one colour each, and a reader that sees colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from perception.frames import Frame
from perception.signs import Sign, Signs
from perception.spec import ModelSpec

LABELS = ("Stop", "Keep right", "Give way")
CLASS_IDS = {"Stop": 14, "Keep right": 38, "Give way": 13}  # in GTSRB
COLORS_BGR = np.array(((0, 0, 255), (255, 0, 0), (0, 255, 0)))
SPEC = ModelSpec(
    "signs", LABELS, ((255, 0, 0), (0, 0, 255), (0, 255, 0)), (16, 16), thresholds={"known": 0.5}
)
BOXES = ((200, 60, 230, 90), (200, 92, 230, 122))


def picture(seed: int, labels: tuple[str, ...] = ("Stop", "Keep right")) -> Frame:
    """A grey noisy street with the signs at BOXES."""
    rng = np.random.default_rng(seed)
    street = rng.integers(90, 150, (240, 320, 1)).repeat(3, axis=2).astype(np.uint8)
    for (x1, y1, x2, y2), label in zip(BOXES, labels):
        street[y1:y2, x1:x2] = COLORS_BGR[LABELS.index(label)]
    return street


def make_gtsdb(folder: Path, count: int = 5) -> Path:
    """Pictures in GTSDB's form, each with two signs on one post."""
    folder.mkdir()
    lines = []
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:05d}.png"), picture(number))
        for box, label in zip(BOXES, ("Stop", "Keep right")):
            lines.append(";".join(map(str, (f"{number:05d}.ppm", *box, CLASS_IDS[label]))))
    (folder / "gt.txt").write_text("\n".join(lines) + "\n")
    return folder


def sign(label: str, box: tuple[float, float, float, float], known: float = 0.97) -> Sign:
    """A sure read."""
    scores = np.full(3, 0.01, np.float32)
    scores[LABELS.index(label)] = 0.98
    return Sign(LABELS.index(label), label, 0.98, known, known >= 0.5, box, scores, {})


def read(frame: Frame) -> Signs:
    """Find the colours in a frame."""
    pixels = frame.astype(np.int16)
    signs = []
    for label, color in zip(LABELS, COLORS_BGR):
        strongest = int(color.argmax())
        rest = np.delete(pixels, strongest, axis=2).max(axis=2)
        mask = (pixels[:, :, strongest] > rest + 60).astype(np.uint8)
        _, _, found, _ = cv2.connectedComponentsWithStats(mask)
        for x, y, width, height, area in found[1:].tolist():
            if area > 60:
                signs.append(sign(label, (x, y, x + width, y + height)))
    return Signs(tuple(signs))

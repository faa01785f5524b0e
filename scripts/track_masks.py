"""How well a model reads the floor and the lines of a track: floor IoU, and F1 of lines within 1.5 px.

    python -m scripts.track_masks MODEL.onnx DATA
    python -m scripts.track_masks MODEL.onnx DATA --worst WORST.png

DATA is a data set with masks of the classes floor and line; its validation part counts. A pixel of a line is
found if the model has one within 1.5 px, and right if the mask has one there. WORST.png shows the frames with
the most wrong pixels: the frame, its mask, and the model's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import perception
from perception.frames import Frame
from perception.spec import Color
from perception.tasks import UNLABELLED
from training.datasets.pictures import read_bgr, read_mask
from training.segmentation.data import read

SHOWN, ENLARGED = 4, 2
AROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def main() -> None:
    """Print both measures over all pixels of the validation part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--worst", type=Path)
    options = parser.parse_args()
    masks = read(options.data)
    with perception.load(options.model, device="cpu") as segment:
        floor, line = (segment.spec.labels.index(label) for label in ("floor", "line"))
        shared = either = found = wanted = right = given = 0
        rows: list[tuple[int, Frame]] = []
        for image in masks.val:
            truth = read_mask(image.mask_path, masks.ids)
            counts = truth != UNLABELLED
            frame = read_bgr(image.path)
            answer = segment(frame).class_ids
            wrong = int(((answer != truth) & counts).sum())
            rows.append((wrong, row(frame, truth, answer, segment.spec.palette)))
            shared += int(((answer == floor) & (truth == floor) & counts).sum())
            either += int((((answer == floor) | (truth == floor)) & counts).sum())
            want, got = ((((ids == line) & counts).astype(np.uint8)) for ids in (truth, answer))
            found, wanted = found + int((want & cv2.dilate(got, AROUND)).sum()), wanted + int(want.sum())
            right, given = right + int((got & cv2.dilate(want, AROUND)).sum()), given + int(got.sum())
    if options.worst:
        worst = sorted(rows, key=lambda row: -row[0])[:SHOWN]
        cv2.imwrite(str(options.worst), np.vstack([picture for _, picture in worst]))
    precision, recall = right / max(1, given), found / max(1, wanted)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    floor_iou = shared / max(1, either)
    print(f"floor IoU {floor_iou:.1%}, line F1 {f1:.1%} ({precision:.0%} right, {recall:.0%} found)")


def row(frame: Frame, truth: NDArray[np.uint8], answer: NDArray[np.uint8], palette: Sequence[Color]) -> Frame:
    """The frame, its mask and the model's, side by side; black where nobody could tell."""
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette)] = np.array(palette)[:, ::-1]
    pictures = [frame, colors[truth], colors[answer]]
    return np.asarray(np.hstack(pictures).repeat(ENLARGED, 0).repeat(ENLARGED, 1), np.uint8)


if __name__ == "__main__":
    main()

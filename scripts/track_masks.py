"""How well a model reads the floor and the lines of a track: floor IoU, and F1 of lines within 1.5 px.

    python -m scripts.track_masks MODEL.onnx DATA

DATA is a data set with masks of the classes floor and line; its validation part counts. A pixel of a line is
found if the model has one within 1.5 px, and right if the mask has one there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

import perception
from perception.tasks import UNLABELLED
from training.datasets.pictures import read_bgr, read_mask
from training.segmentation.data import read

AROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def main() -> None:
    """Print both measures over all pixels of the validation part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    masks = read(options.data)
    with perception.load(options.model, device="cpu") as segment:
        floor, line = (segment.spec.labels.index(label) for label in ("floor", "line"))
        shared = either = found = wanted = right = given = 0
        for image in masks.val:
            truth = read_mask(image.mask_path, masks.ids)
            counts = truth != UNLABELLED
            answer = segment(read_bgr(image.path)).class_ids
            shared += int(((answer == floor) & (truth == floor) & counts).sum())
            either += int((((answer == floor) | (truth == floor)) & counts).sum())
            want, got = ((((ids == line) & counts).astype(np.uint8)) for ids in (truth, answer))
            found, wanted = found + int((want & cv2.dilate(got, AROUND)).sum()), wanted + int(want.sum())
            right, given = right + int((got & cv2.dilate(want, AROUND)).sum()), given + int(got.sum())
    precision, recall = right / max(1, given), found / max(1, wanted)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    floor_iou = shared / max(1, either)
    print(f"floor IoU {floor_iou:.1%}, line F1 {f1:.1%} ({precision:.0%} right, {recall:.0%} found)")


if __name__ == "__main__":
    main()

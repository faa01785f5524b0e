"""Make artwork out of GTSRB: one clean crop of each class, cut out along its outline.

    python -m scripts.cut_out GTSRB OUT "Speed limit 30" "No entry" …

It stands for the drawing that somebody would print: levels are stretched until white is white, and what is
around the sign is transparent. The crops come from the tracks that ``scripts.few_pictures`` learns from.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

from training.datasets.gtsrb import LABELS

# By eye: large, clear, nothing on it. Track, frame and outline; triangles stand on a side or a corner.
CROPS = {
    "Speed limit 30": ("00006_00029", "disc"),
    "Speed limit 80": ("00012_00029", "disc"),
    "No entry": ("00006_00029", "disc"),
    "Danger": ("00004_00029", "side"),
    "Children": ("00002_00029", "side"),
    "Turn left ahead": ("00000_00029", "disc"),
    "Straight or left": ("00002_00029", "disc"),
    "Roundabout": ("00005_00029", "disc"),
    "Right of way at next crossing": ("00003_00029", "side"),
    "Give way": ("00033_00029", "corner"),
    "Bend to right": ("00005_00029", "side"),
    "Road works": ("00008_00029", "side"),
    "Turn right ahead": ("00007_00029", "disc"),
}
LARGER = 4  # times, while it is cut


def cut_out(crop: np.ndarray, outline: str) -> np.ndarray:
    """(H, W, 4) BGRA of a crop (H, W, 3) that the sign fills."""
    crop = cv2.resize(crop, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_CUBIC)
    height, width = crop.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    if outline == "disc":
        cv2.ellipse(mask, ((width / 2, height / 2), (0.97 * width, 0.97 * height), 0), 255, -1, cv2.LINE_AA)
    else:
        y = (0.01, 0.97) if outline == "side" else (0.99, 0.03)
        corners = np.array([(0.5, y[0]), (0.98, y[1]), (0.02, y[1])]) * (width, height)
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255, cv2.LINE_AA)
    low, high = np.percentile(crop[mask > 0].mean(axis=1), (1, 97))
    stretched = np.clip((crop - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return np.dstack([stretched, mask])


def main() -> None:
    """Write the artwork."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.cut_out", description="Make artwork out of GTSRB."
    )
    parser.add_argument("root", type=Path, help="GTSRB")
    parser.add_argument("out", type=Path, help="where the pictures go")
    parser.add_argument("names", nargs="+", metavar="CLASS", choices=CROPS, help="name of a class")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        number, (stem, outline) = LABELS.index(name), CROPS[name]
        table = next(options.root.rglob(f"GT-{number:05d}.csv"), None)
        if table is None:
            sys.exit(f"{options.root} has no GT-{number:05d}.csv; give GTSRB as it is published")
        with table.open(newline="") as file:
            rows = {Path(row["Filename"]).stem: row for row in csv.DictReader(file, delimiter=";")}
        x1, y1, x2, y2 = (int(rows[stem][f"Roi.{edge}"]) for edge in ("X1", "Y1", "X2", "Y2"))
        (path,) = (path for path in table.parent.glob(f"{stem}.*"))
        picture = cut_out(cv2.imread(str(path))[y1:y2, x1:x2], outline)
        cv2.imwrite(str(options.out / f"{name}.png"), picture)


if __name__ == "__main__":
    main()

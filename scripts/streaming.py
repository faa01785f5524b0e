"""Measure what following signs is worth, on drives made out of street pictures with known boxes.

    python -m scripts.streaming GTSDB
    python -m scripts.streaming GTSDB --drives 1 --pictures OUT

Every fifth picture serves, because the detector has not learnt from it. The drives are the same each time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

import perception
from perception.detection import SignDetector
from perception.errors import PerceptionError
from perception.paths import shared
from perception.reader import SignReader
from perception.signs import SignClassifier
from perception.tracking import SignTracker
from training.datasets import boxes
from training.datasets.images import DataError
from training.detection import streaming, streaming_tables

VAL_FRACTION = 0.2  # as the detector's training splits


def main() -> None:
    """Read, follow and print."""
    options = _options()
    try:
        data_set = boxes.read(options.data)
        learn, val = boxes.split(data_set.images, val_fraction=VAL_FRACTION)
        drives = streaming.drives(learn if options.learnt else val, options.drives, seed=options.seed)
        with _reader(options) as reader:
            if options.pictures:
                _write_pictures(reader, drives, data_set.labels, options.pictures)
                print(f"{options.pictures}: the frames with their tracks, DRIVE_FRAME.jpg")
                return
            replays = streaming.replay(reader.read, drives, data_set.labels)
            measured = streaming.score(replays, reader.spec)
    except (DataError, PerceptionError) as error:
        sys.exit(str(error))
    console = Console(width=120)
    console.print(streaming_tables.extent(measured))
    console.print(_table(streaming_tables.SHARES_HEADER, streaming_tables.shares(measured)))
    console.print(_table(streaming_tables.FIGURES_HEADER, streaming_tables.figures(measured)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.streaming",
        description="Measure what following signs is worth, on drives made out of street pictures.",
    )
    parser.add_argument("data", type=Path, help="street pictures with boxes and classes, as GTSDB")
    parser.add_argument("--detector", type=Path, help="the detector (default: the shipped one)")
    parser.add_argument("--signs", type=Path, help="the classifier (default: the shipped one)")
    parser.add_argument("--drives", type=int, default=streaming.DRIVES, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--learnt", action="store_true", help="take the pictures that the detector learns from"
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="write the frames with their tracks instead"
    )
    return parser.parse_args()


def _reader(options: argparse.Namespace) -> SignReader:
    find = perception.load(options.detector or shared("models/sign_detector.onnx"), device="cpu")
    classify = perception.load(options.signs or shared("models/signs.onnx"), device="cpu")
    if not isinstance(find, SignDetector) or not isinstance(classify, SignClassifier):
        sys.exit("--detector must be a file of task 'sign_detection', and --signs one of task 'signs'")
    return SignReader(find, classify)


def _write_pictures(
    reader: SignReader, drives: Sequence[streaming.Drive], labels: Sequence[str], folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, drive in enumerate(drives):
        tracker = SignTracker(reader.spec)
        for index, shot in enumerate(streaming.shots(drive, labels)):
            tracks = tracker.update(reader.read(shot.frame), shot.stamp_ns, size_hw=shot.frame.shape[:2])
            cv2.imwrite(str(folder / f"{number:02d}_{index:03d}.jpg"), tracks.overlay(shot.frame))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(header_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index else "left")
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main()

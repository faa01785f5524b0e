"""What the demo's report says of a recording: results are compared, pictures shown with their own masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import perception
from perception.recordings.bag import BagWriter
from perception.recordings.recording import read_recording
from perception.recordings.results import ResultWriter
from perception.recordings.sources import open_source
from tests.bags import COMPRESSED, ROIS, compressed, rois, write_bag
from tests.conftest import COLORS, PALETTE, solid

LEFT, RIGHT = (100.0, 20.0, 140.0, 60.0), (400.0, 20.0, 440.0, 60.0)


def test_answers_are_judged_and_shown_with_their_frame(
    tmp_path: Path, signs_model: Path, segmentation_model: Path
) -> None:
    """Right and right; wrong and unknown; one box without a true class."""
    pairs = [("Red", "Green"), ("Blue", "grey"), ("Green", "Red")]
    truths = [("2", "1"), ("1", "0"), ("1", "")]
    drive = []
    for stamp, (colors, classes) in enumerate(zip(pairs, truths)):
        frame = np.hstack([solid(color, 240, 300) for color in colors])
        boxes = [(*box, class_id) for box, class_id in zip((LEFT, RIGHT), classes)]
        drive += [(ROIS, rois(boxes, stamp)), (COMPRESSED, compressed(frame, stamp))]
    classify, segment = perception.load(signs_model), perception.load(segmentation_model)
    with BagWriter(tmp_path / "recording") as bag:
        results = ResultWriter(bag)
        for number, shot in enumerate(open_source(write_bag(tmp_path / "drive", drive)).shots()):
            if not number:
                results.label_info(classify.spec, shot)
                results.label_info(segment.spec, shot)
            if number == 1:  # its mask comes first
                results.write("segmentation", segment(shot.image), shot)
            bag.write(COMPRESSED, drive[2 * number + 1][1], shot.time_ns)
            bag.write(ROIS, drive[2 * number][1], shot.time_ns)
            results.write("signs", classify.classify_boxes(shot.image, shot.boxes), shot)
            if number != 1:
                results.write("segmentation", segment(shot.image), shot)
    palettes = {"signs": PALETTE, "segmentation": PALETTE}
    recording = read_recording(
        tmp_path / "recording", image=COMPRESSED, rois=ROIS, palettes=palettes, period_s=0.1
    )
    assert (recording.boxes, recording.known, recording.right) == (5, 4, 3)
    assert recording.summary.good == 3
    captions, pictures = zip(*recording.summary._pictures)
    assert [caption.split(" · ")[0] for caption in captions] == ["0.0 s", "0.1 s", "0.2 s"]
    assert "Red" in captions[0] and "Green" in captions[0] and "unknown" not in captions[1]
    for colors, picture in zip(pairs, pictures):
        for half, color in zip(np.hsplit(picture, 2), colors):
            shown = half[90:110, 200:280].mean(axis=(0, 1))  # away from boxes, names and legend
            assert color == "grey" or shown.argmax() == COLORS.index(color)

"""What the demo's report says of a recording: results are compared, pictures shown with their own masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import perception
from perception import topics
from perception.recordings import results
from perception.recordings.bag import BagWriter
from perception.recordings.recording import read_recording
from perception.recordings.results import ResultWriter
from perception.recordings.sources import open_source
from tests.bags import COMPRESSED, ROIS, compressed, header, rois, write_bag
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
        writer = ResultWriter(bag)
        for number, shot in enumerate(open_source(write_bag(tmp_path / "drive", drive)).shots()):
            if not number:
                writer.label_info(classify.spec, shot)
                writer.label_info(segment.spec, shot)
            if number == 1:  # its mask comes first
                writer.write("segmentation", segment(shot.image), shot)
            bag.write(COMPRESSED, drive[2 * number + 1][1], shot.time_ns)
            bag.write(ROIS, drive[2 * number][1], shot.time_ns)
            writer.write("signs", classify.classify_boxes(shot.image, shot.boxes), shot)
            if number != 1:
                writer.write("segmentation", segment(shot.image), shot)
    palettes = {"signs": PALETTE, "segmentation": PALETTE}
    recording = read_recording(
        tmp_path / "recording", image=COMPRESSED, rois=ROIS, palettes=palettes, period_s=0.1
    )
    assert (recording.boxes, recording.found) == (5, 5)
    assert (recording.known, recording.right, recording.elsewhere) == (4, 3, 0)
    assert recording.summary.good == 3
    captions, pictures = zip(*recording.summary._pictures)
    assert [caption.split(" · ")[0] for caption in captions] == ["0.0 s", "0.1 s", "0.2 s"]
    assert "Red" in captions[0] and "Green" in captions[0] and "unknown" not in captions[1]
    for colors, picture in zip(pairs, pictures):
        for half, color in zip(np.hsplit(picture, 2), colors):
            shown = half[90:110, 200:280].mean(axis=(0, 1))  # away from boxes, names and legend
            assert color == "grey" or shown.argmax() == COLORS.index(color)


def test_found_boxes_are_judged_by_which_true_ones_they_overlap(tmp_path: Path, signs_model: Path) -> None:
    """Found in another order and not exactly; one missed; two signs and an unknown one elsewhere."""
    there = [(10, 10, 50, 50, "2"), (100, 10, 140, 50, "1"), (200, 10, 240, 50, "0")]
    found = [(98, 12, 139, 52, "1"), (12, 8, 52, 50, "0"), (150, 10, 190, 50, "2"), (205, 45, 245, 85, "0")]
    found.append((300, 10, 340, 50, ""))
    spec = perception.load(signs_model).spec
    with BagWriter(tmp_path / "recording") as bag:
        bag.write("/signs/label_info", topics.label_info(results.make, spec, header(0)), 0)
        bag.write(COMPRESSED, compressed(solid("grey", 100, 400), 0), 0)
        bag.write(ROIS, rois(there, 0), 0)
        bag.write("/signs/detections", rois(found, 0), 0)
        bag.write("/signs/detections", rois(found, 1), 1)  # nobody knows what is in this frame
    recording = read_recording(
        tmp_path / "recording", image=COMPRESSED, rois=ROIS, palettes={"signs": PALETTE}, period_s=0.1
    )
    assert (recording.boxes, recording.found, recording.known, recording.right) == (3, 2, 2, 1)
    assert recording.elsewhere == 2

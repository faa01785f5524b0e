"""The signs node as users start it, and how it matches boxes with frames."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import Image
from vision_msgs.msg import BoundingBox2D, Classification, Detection2D, Detection2DArray, Point2D, Pose2D

from tests.ros import BLUE, GREEN, GREY, RED, image, pixels, solid, stamped, values


def rois(stamp: int, *boxes: tuple[float, float, float, float]) -> Detection2DArray:
    """Boxes as a detector sends them: (centre x, centre y, width, height)."""
    detections = [
        Detection2D(
            id=f"track {index}",
            bbox=BoundingBox2D(center=Pose2D(position=Point2D(x=x, y=y)), size_x=width, size_y=height),
        )
        for index, (x, y, width, height) in enumerate(boxes)
    ]
    return stamped(Detection2DArray(detections=detections), stamp)


def test_a_whole_frame_is_classified_and_an_unknown_sign_has_no_results(peer, start, signs_model):
    start("signs", f"model:={signs_model}")
    classifications = peer.collect(Classification, "signs/classification")
    detections = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(2)
    send = peer.sender(Image, "image_raw")

    send(image(solid(RED, 40, 60), stamp=8))
    peer.until(lambda: classifications and detections, "an answer to the red frame")
    send(image(solid(GREY), stamp=9))
    peer.until(lambda: len(classifications) == len(detections) == 2, "an answer to the grey frame")

    red, grey = classifications
    assert red.header == image(solid(RED), stamp=8).header
    assert [hypothesis.class_id for hypothesis in red.results] == ["2"] and red.results[0].score > 0.9
    box = detections[0].detections[0].bbox
    assert (box.center.position.x, box.center.position.y, box.size_x, box.size_y) == (30.0, 20.0, 60.0, 40.0)
    assert detections[0].detections[0].results[0].hypothesis.class_id == "2"
    assert grey.header.stamp.sec == 9 and list(grey.results) == []
    assert list(detections[1].detections[0].results) == []


def test_boxes_are_classified_in_the_frame_of_their_stamp(peer, start, signs_model):
    start("signs", f"model:={signs_model}", "use_rois:=true")
    detections = peer.collect(Detection2DArray, "signs/detections")
    classifications = peer.collect(Classification, "signs/classification")
    overlays = peer.collect(Image, "signs/overlay")
    peer.matched(3)
    send_image, send_rois = peer.sender(Image, "image_raw"), peer.sender(Detection2DArray, "rois")
    frame = solid(GREY, 100, 200)
    frame[10:30, 20:40], frame[50:70, 160:180] = BLUE, GREEN
    boxes = (30.0, 20.0, 20.0, 20.0), (100.0, 50.0, 10.0, 10.0), (170.0, 60.0, 20.0, 20.0)

    send_image(image(frame, stamp=1))
    send_rois(rois(1, *boxes))
    peer.until(lambda: len(detections) == 1, "an answer when the frame came first")
    send_rois(rois(2))
    send_image(image(frame, stamp=2))
    peer.until(lambda: len(detections) == 2 and len(overlays) == 2, "an answer when the boxes came first")

    boxes = detections[0].detections
    assert [[r.hypothesis.class_id for r in one.results] for one in boxes] == [["0"], [], ["1"]]
    assert [one.id for one in boxes] == ["track 0", "track 1", "track 2"]
    assert [one.bbox.center.position.x for one in boxes] == [30.0, 100.0, 170.0]
    assert sorted(r.class_id for r in classifications[0].results) == ["0", "1"]
    assert detections[1].header.stamp.sec == 2 and list(detections[1].detections) == []
    assert not np.array_equal(pixels(overlays[0]), frame) and np.array_equal(pixels(overlays[1]), frame)


def test_frames_without_boxes_and_impossible_boxes_are_counted(peer, start, signs_model):
    start("signs", f"model:={signs_model}", "use_rois:=true")
    detections = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(1)
    send_image, send_rois = peer.sender(Image, "image_raw"), peer.sender(Detection2DArray, "rois")

    for stamp in range(1, 31):
        send_image(image(solid(RED), stamp=stamp))
        peer.spin(0.02)
    nan, inf = float("nan"), float("inf")
    bad = [(nan, 5.0, 4.0, 4.0)], [(inf, 5.0, 4.0, 4.0)], [(500.0, 5.0, 4.0, 4.0)], [(5.0, 5.0, 0.0, 4.0)]
    too_many = [(5.0, 5.0, 4.0, 4.0)] * 3000
    for stamp, boxes in enumerate([*bad, too_many], start=40):
        send_image(image(solid(RED), stamp=stamp))
        send_rois(rois(stamp, *boxes))
        peer.spin(0.1)
    status = peer.health("signs", lambda status: int(values(status)["bad"]) >= 5)
    send_image(image(solid(RED), stamp=99))
    send_rois(rois(99, (5.0, 5.0, 4.0, 4.0)))
    peer.until(lambda: detections, "an answer to a good frame")

    assert [array.header.stamp.sec for array in detections] == [99]
    assert values(status)["bad.box"] == "5"
    assert int(values(status)["unpaired"]) >= 3

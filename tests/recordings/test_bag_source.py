"""Which topics of a bag are taken, and when a user has to choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from perception.errors import InputError
from perception.recordings.sources import open_source
from tests.bags import raw, rois, text, write_bag
from tests.conftest import solid

IMAGE = raw(solid("Red"), 0)
BOXES = rois([(5.0, 5.0, 25.0, 25.0, "")], 0)
OTHERS = rois([(1.0, 1.0, 9.0, 9.0, "")] * 2, 0)


def boxes(bag: Path, **options: str | bool) -> int | None:
    """How many boxes the first image has; None where the whole frame is taken."""
    found = next(open_source(bag, **options).shots()).boxes
    return None if found is None else len(found)


def test_the_one_camera_and_its_boxes_are_taken(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", [("/cam/image", IMAGE), ("/cam/rois", BOXES), ("/chatter", text("hi"))])
    assert boxes(bag) == 1
    assert boxes(bag, use_rois=False) is None
    source = open_source(bag, topic="/cam/image")
    assert (source.box_topic, source.unused_boxes) == ("/cam/rois", ())
    assert (source.count, next(source.shots()).name) == (1, "/cam/image")


@pytest.mark.parametrize("count", [2, 3])
def test_of_several_cameras_one_has_to_be_chosen(tmp_path: Path, count: int) -> None:
    cameras = [f"/cam{number}/image" for number in range(count)]
    bag = write_bag(tmp_path / "bag", [(camera, IMAGE) for camera in cameras])
    with pytest.raises(InputError, match="choose one with --topic") as caught:
        open_source(bag)
    assert all(camera in str(caught.value) for camera in cameras)
    assert next(open_source(bag, topic=cameras[1]).shots()).name == cameras[1]
    with pytest.raises(InputError, match=r"/front is not an image topic there; it has /cam0/image"):
        open_source(bag, topic="/front")


def test_boxes_of_another_camera_are_not_cut_out_of_this_ones_frames(tmp_path: Path) -> None:
    cameras = [("/left/image", IMAGE), ("/right/image", IMAGE)]
    both = write_bag(tmp_path / "both", [*cameras, ("/left/rois", BOXES), ("/right/rois", OTHERS)])
    assert [boxes(both, topic=f"/{side}/image") for side in ("left", "right")] == [1, 2]
    one = write_bag(tmp_path / "one", [*cameras, ("/left/rois", BOXES)])
    assert boxes(one, topic="/left/image") == 1
    with pytest.raises(InputError, match="no boxes beside /right/image"):
        open_source(one, topic="/right/image")
    assert boxes(one, topic="/right/image", rois="/left/rois") == 1


def test_boxes_that_are_not_taken_are_listed_but_not_what_the_nodes_answered(tmp_path: Path) -> None:
    others = [("/yolo/detections", OTHERS), ("/cam/rois", BOXES), ("/car/signs/detections", OTHERS)]
    bag = write_bag(tmp_path / "bag", [("/cam/image", IMAGE), *others])
    taken, left = open_source(bag), open_source(bag, use_rois=False)
    assert (taken.box_topic, taken.unused_boxes) == ("/cam/rois", ("/yolo/detections",))
    assert (left.box_topic, left.unused_boxes) == ("", ("/cam/rois", "/yolo/detections"))


@pytest.mark.parametrize("count", [2, 3])
def test_of_several_topics_of_boxes_one_has_to_be_chosen(tmp_path: Path, count: int) -> None:
    topics = [f"/detector{number}/rois" for number in range(count)]
    bag = write_bag(tmp_path / "bag", [("/cam/image", IMAGE), *((topic, BOXES) for topic in topics)])
    with pytest.raises(InputError, match="several topics of boxes"):
        open_source(bag)
    assert boxes(bag, rois=topics[-1]) == 1
    with pytest.raises(InputError, match=r"/cam/image is not a topic of vision_msgs"):
        open_source(bag, rois="/cam/image")

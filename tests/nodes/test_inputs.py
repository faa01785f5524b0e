"""Where the nodes listen when names are remapped, and where they say that messages are instead."""

from __future__ import annotations

import pytest
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Classification, Detection2DArray

from perception.nodes.inputs import boxes_elsewhere, camera_topic, other_camera_topic
from tests.nodes.test_signs import rois
from tests.ros import RED, image, jpeg, solid, values


def listening(transport: str, rules: tuple[str, ...], namespace: str = "") -> str:
    """The full name of the topic that a node subscribes to with these rules."""
    arguments = ["--ros-args", *(word for rule in rules for word in ("-r", rule))] if rules else None
    node = Node("listener", cli_args=arguments, namespace=namespace)
    kind = Image if transport == "raw" else CompressedImage
    subscription = node.create_subscription(kind, camera_topic(node, transport), print, 1)
    name = str(subscription.topic_name)
    assert name == node.resolve_topic_name(camera_topic(node, transport))
    if transport == "raw":
        assert other_camera_topic(node, "compressed") == name
    else:
        assert other_camera_topic(node, "raw") == name
    node.destroy_node()
    return name


CAM, OWN = "image_raw:=/cam/image", "image_raw/compressed:=/other"


@pytest.mark.parametrize(
    ("rules", "raw", "compressed"),
    [
        ((), "/image_raw", "/image_raw/compressed"),
        ((CAM,), "/cam/image", "/cam/image/compressed"),
        ((OWN,), "/image_raw", "/other"),
        ((CAM, OWN), "/cam/image", "/other"),
        ((OWN, CAM), "/cam/image", "/other"),
        (("listener:image_raw:=/cam/image",), "/cam/image", "/cam/image/compressed"),
        (("another:image_raw:=/cam/image",), "/image_raw", "/image_raw/compressed"),
        (("/image_raw:=/cam/image",), "/cam/image", "/cam/image/compressed"),
        # As the launch files have it
        ((CAM, "image_raw/compressed:=/cam/image/compressed"), "/cam/image", "/cam/image/compressed"),
    ],
)
def test_a_remapped_camera_takes_its_compressed_topic_along(peer, rules, raw, compressed):
    assert listening("raw", rules) == raw
    assert listening("compressed", rules) == compressed


def test_relative_names_and_namespaces_go_together(peer):
    assert listening("compressed", (), "/car") == "/car/image_raw/compressed"
    assert listening("compressed", ("image_raw:=front/image",), "/car") == "/car/front/image/compressed"


def test_a_node_started_with_image_raw_remapped_answers_compressed_frames(peer, start, signs_model):
    arguments = ("-r", "image_raw:=/cam/image")
    start(
        "signs", "boxes:=frame", f"model:={signs_model}", "image_transport:=compressed", arguments=arguments
    )
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)

    peer.sender(CompressedImage, "/cam/image/compressed")(jpeg(solid(RED), stamp=4))
    peer.until(lambda: answers, "an answer")

    assert answers[0].header.stamp.sec == 4 and answers[0].results[0].class_id == "2"
    assert not peer.node.count_subscribers("/image_raw/compressed")


def test_boxes_on_another_topic_are_named(peer, start, signs_model):
    start("signs", "boxes:=rois", f"model:={signs_model}")
    detections = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(1)
    elsewhere = peer.node.create_publisher(Detection2DArray, "/detector/boxes", 10)
    send_image = peer.sender(Image, "image_raw")

    send_image(image(solid(RED), stamp=1))
    status = peer.health("signs", lambda status: "/detector/boxes" in status.message)
    assert status.level == status.WARN and values(status)["rois_in"] == "0"
    assert "no boxes on /rois; 0 publishers; boxes are published on /detector/boxes: remap" in status.message
    assert "signs/detections" not in status.message

    send_rois = peer.sender(Detection2DArray, "rois")
    send_rois(rois(2, (5.0, 5.0, 4.0, 4.0)))
    send_image(image(solid(RED), stamp=2))
    peer.until(lambda: detections, "an answer")
    peer.health("signs", lambda status: status.level == status.OK and values(status)["rois_in"] == "1")
    peer.node.destroy_publisher(elsewhere)


def test_results_of_another_node_count_as_boxes_but_not_those_of_its_own(peer):
    node = rclpy.create_node("listener")
    boxes = node.create_subscription(Detection2DArray, "rois", print, 10)
    own = [node.create_publisher(Detection2DArray, "signs/detections", 10)]
    peer.node.create_publisher(Detection2DArray, "rois", 10)
    peer.node.create_publisher(Image, "detector/overlay", 10)
    peer.spin(0.5)
    assert boxes_elsewhere(node, boxes, own) == []
    peer.node.create_publisher(Detection2DArray, "signs/detections", 10)
    peer.node.create_publisher(Detection2DArray, "detector/boxes", 10)
    peer.until(lambda: len(boxes_elsewhere(node, boxes, own)) == 2, "both topics")
    assert boxes_elsewhere(node, boxes, own) == ["/detector/boxes", "/signs/detections"]
    node.destroy_node()

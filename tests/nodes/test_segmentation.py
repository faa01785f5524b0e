"""The segmentation node as users start it: a process of its own, spoken to over DDS."""

from __future__ import annotations

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import LabelInfo

from tests.ros import GREEN, RED, image, jpeg, pixels, solid, values

RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def test_a_frame_becomes_mask_and_confidence_under_its_own_header(peer, start, segmentation_model):
    start("segmentation", f"model:={segmentation_model}")
    masks, confidences = (peer.collect(Image, f"segmentation/{name}") for name in ("mask", "confidence"))
    peer.matched(2)
    frame = solid(RED, 30, 50)
    frame[:, 25:] = GREEN

    send = peer.sender(Image, "image_raw")
    send(image(frame, stamp=77))

    peer.until(lambda: masks and confidences, "mask and confidence")
    mask, confidence = masks[0], confidences[0]
    assert mask.header == confidence.header == image(frame, stamp=77).header
    assert (mask.encoding, mask.height, mask.width, mask.step) == ("mono8", 30, 50, 50)
    assert (pixels(mask)[:, :20] == 2).all() and (pixels(mask)[:, 30:] == 1).all()
    assert (pixels(confidence)[:, :20] == 255).all()


def test_a_large_raw_frame_and_its_mask_arrive(peer, start, segmentation_model):
    start("segmentation", f"model:={segmentation_model}")
    masks = peer.collect(Image, "segmentation/mask")
    peer.matched(1)
    send = peer.sender(Image, "image_raw", RELIABLE)

    for stamp in range(1, 6):
        send(image(solid(GREEN, 1080, 1920), stamp=stamp))
        peer.until(lambda stamp=stamp: masks and masks[-1].header.stamp.sec == stamp, f"mask {stamp}")

    assert (pixels(masks[-1]) == 1).all() and masks[-1].height == 1080


def test_labels_wait_for_those_who_come_late(peer, start, segmentation_model):
    start("segmentation", f"model:={segmentation_model}")
    peer.until(lambda: peer.node.count_subscribers("image_raw"), "the node")

    labels = peer.collect(LabelInfo, "segmentation/label_info", LATCHED)

    peer.until(lambda: labels, "label_info")
    named = {one.class_id: one.class_name for one in labels[0].class_map}
    assert named == {0: "Blue", 1: "Green", 2: "Red"}


def test_jpeg_frames_in_masks_of_the_models_size_and_an_overlay_out(peer, start, segmentation_model):
    options = ("image_transport:=compressed", "mask_size:=model", "overlay_alpha:=1.0")
    start("segmentation", f"model:={segmentation_model}", *options, arguments=("-r", "__ns:=/car"))
    masks = peer.collect(Image, "car/segmentation/mask", RELIABLE)
    # RViz asks for reliable.
    reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    overlays = peer.collect(Image, "car/segmentation/overlay", reliable)
    peer.matched(2)

    peer.sender(CompressedImage, "car/image_raw/compressed")(jpeg(solid(GREEN, 96, 128), stamp=3))

    peer.until(lambda: masks and overlays, "mask and overlay")
    mask, overlay = masks[0], overlays[0]
    assert (mask.height, mask.width) == (24, 32)
    assert (overlay.encoding, overlay.height, overlay.width) == ("bgr8", 96, 128)
    assert overlay.header.stamp.sec == 3
    assert np.array_equal(pixels(overlay)[0, -1], GREEN)


def test_a_subscriber_that_gets_nothing_for_its_qos_is_named(peer, start, segmentation_model):
    start("segmentation", f"model:={segmentation_model}", "stale_after:=100.0")
    peer.collect(Image, "segmentation/confidence", RELIABLE)

    # Discovery reports a subscriber before the node that it belongs to.
    status = peer.health("segmentation", lambda status: "peer gets nothing" in status.message)

    assert status.level == status.WARN
    assert "from /segmentation/confidence: reliable is asked for" in status.message
    assert values(status)["state"] == "active"

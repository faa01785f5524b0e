"""The nodes' inputs: on which topics they are, and where else they could be."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ModuleNotFoundError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from perception import topics

__all__ = [
    "SubscriptionEventCallbacks",
    "boxes_elsewhere",
    "camera_info_topic",
    "camera_topic",
    "other_camera_topic",
]


def camera_topic(node: Node, transport: str) -> str:
    """The name with which to subscribe to a camera.

    As with image_transport, a remapped ``image_raw`` takes ``image_raw/compressed`` along, unless that is
    remapped by a rule of its own.
    """
    raw, name = (topics.CAMERA[kind][1] for kind in ("raw", transport))
    has_own_rule = node.resolve_topic_name(name) != node.resolve_topic_name(name, only_expand=True)
    if has_own_rule or name == raw:
        return name
    return str(node.resolve_topic_name(raw)) + name.removeprefix(raw)


def other_camera_topic(node: Node, transport: str) -> str:
    """The full name of the topic with which another ``image_transport`` would have its frames."""
    other = "compressed" if transport == "raw" else "raw"
    return str(node.resolve_topic_name(camera_topic(node, other)))


def camera_info_topic(node: Node) -> str:
    """The name with which to subscribe to a camera's calibration.

    As with image_transport, it is beside the images: a remapped ``image_raw`` takes it along, unless
    ``camera_info`` is remapped by a rule of its own.
    """
    name = topics.CAMERA_INFO_NAME
    if node.resolve_topic_name(name) != node.resolve_topic_name(name, only_expand=True):
        return name
    image = str(node.resolve_topic_name(topics.CAMERA["raw"][1]))
    return f"{image.rpartition('/')[0]}/{name}"


def boxes_elsewhere(node: Node, boxes: Subscription, own: list[Publisher]) -> list[str]:
    """The other topics on which boxes are published, by name; not those that only this node publishes."""
    own_names = [publisher.topic_name for publisher in own]
    return [
        name
        for name, kinds in sorted(node.get_topic_names_and_types())
        if topics.DETECTIONS in kinds
        and name != boxes.topic_name
        and node.count_publishers(name) > own_names.count(name)
    ]

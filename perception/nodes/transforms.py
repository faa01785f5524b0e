"""Transforms: how a camera is above the floor, out of /tf and /tf_static.

A reader of its own, because tf2_ros is on no package registry of Python. It needs tf2_msgs, which comes with
any ROS 2, but not with its wheels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from perception.errors import CameraError
from perception.ground import Pose
from perception.ground.topics import TRANSFORMS
from perception.nodes.messages import message_class
from perception.topics import Qos

_STATIC, _MOVING = Qos(depth=100, latched=True), Qos(depth=100)
_LONGEST = 100  # frames from a camera to the root of its tree

Matrix = NDArray[np.float64]


class Transforms:
    """The newest transform of each frame to its parent.

    Args:
        node: for the names of topics.

    Raises:
        CameraError: tf2_msgs is not installed.
    """

    def __init__(self, node: Node) -> None:
        if message_class(TRANSFORMS) is None:
            raise CameraError(
                "ground_frame needs tf2_msgs, which is not installed here; install it with ROS "
                "(ros-…-tf2-msgs), or set camera_height_m and camera_pitch_deg in its stead"
            )
        self._parents: dict[str, tuple[str, Matrix]] = {}

    def subscribe(self, subscribe: Callable[..., Any]) -> None:
        """Create the inputs with a node's ``input``."""
        subscribe(TRANSFORMS, "/tf_static", self.take, _STATIC)
        subscribe(TRANSFORMS, "/tf", self.take, _MOVING)

    def take(self, message: Any) -> None:
        """Take in a tf2_msgs/TFMessage."""
        for one in message.transforms:
            child, parent = one.child_frame_id.lstrip("/"), one.header.frame_id.lstrip("/")
            self._parents[child] = (parent, matrix(one.transform))

    def pose(self, camera: str, floor: str) -> Pose:
        """How a camera's optical frame is above a frame on the floor, whose z axis is up.

        Raises:
            CameraError: no transforms lead from the one to the other, or no camera sees a floor so.
        """
        (root, to_camera), (other, to_floor) = self._to_root(camera), self._to_root(floor)
        if root != other:
            raise CameraError(
                f"TF does not lead from {camera!r} to {floor!r} (the one ends at {root!r}, the other at "
                f"{other!r}); start what publishes it, such as robot_state_publisher, or set ground_frame"
            )
        placed = np.linalg.inv(to_floor) @ to_camera
        found = Pose.of_down(-placed[2, :3], float(placed[2, 3]))
        # Rounded, so that what trembles in the last digit is the same camera.
        return Pose(round(found.height_m, 4), round(found.pitch_deg, 2), round(found.roll_deg, 2))

    def _to_root(self, frame: str) -> tuple[str, Matrix]:
        """The root of a frame's tree, and (4, 4) from the frame to it."""
        found, at = np.eye(4), frame.lstrip("/")
        for _ in range(_LONGEST):
            if at not in self._parents:
                return at, found
            at, step = self._parents[at]
            found = step @ found
        raise CameraError(f"TF leads from {frame!r} round in a circle; correct what publishes it")


def matrix(transform: Any) -> Matrix:
    """(4, 4) of a geometry_msgs/Transform."""
    q, t = transform.rotation, transform.translation
    x, y, z, w = np.array([q.x, q.y, q.z, q.w]) / (np.linalg.norm([q.x, q.y, q.z, q.w]) or 1.0)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), t.x],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), t.y],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), t.z],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )

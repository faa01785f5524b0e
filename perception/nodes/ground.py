"""Ground: what a node needs to say in metres what its masks show.

camera_info ─► Camera ─┐
parameters or TF ─► Pose ┴─► GroundFollower ─► topics
"""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher

from perception import topics
from perception.errors import CameraError, PerceptionError
from perception.frames import Frame
from perception.ground import LINES, Camera, Ground, Pose
from perception.ground.steady import GroundFollower, OnGround
from perception.ground.topics import GROUND
from perception.nodes import params
from perception.nodes.inputs import camera_info_topic
from perception.nodes.messages import message_class
from perception.nodes.transforms import Transforms
from perception.segmentation import RoadMask
from perception.topics import Topic

PARAMETERS = (
    params.Param("ground", False, "say in metres what masks show; needs camera_info", until_configured=True),
    params.Param("camera_height_m", 0.0, "of the lens above the floor", bounds=(0.0, 100.0)),
    params.Param("camera_pitch_deg", 0.0, "by which the camera looks down", bounds=(-45.0, 90.0)),
    params.Param("camera_roll_deg", 0.0, "by which it leans to its right", bounds=(-45.0, 45.0)),
    params.Param(
        "ground_frame",
        "",
        "TF frame on the floor, such as base_footprint, for height and pitch; empty: the parameters above",
        until_configured=True,
    ),
    params.Param("drivable", "floor", "labels that can be driven on, with commas", until_configured=True),
    params.Param("lane_ahead_m", 0.5, "look-ahead distance at which the lane is given", bounds=(0.05, 100.0)),
    params.Param(
        "ground_confidence", 0.6, "of the mask; where it is lower, nothing is known", bounds=(0.0, 1.0)
    ),
)


def outputs(node: Any) -> list[tuple[Topic, Publisher]]:
    """The topics of the ground, with publishers.

    Raises:
        PerceptionError: the messages of one are not installed.
    """
    for topic in GROUND:
        if message_class(topic.kind) is None:
            package = topic.kind.split("/")[0]
            raise PerceptionError(f"ground needs {package}, which is not installed; install it with ROS")
    return [(topic, node.output(topic.kind, topic.name, topic.qos)) for topic in GROUND]


class NodeGround:
    """The ground of a node's masks.

    Args:
        node: has the parameters.
        labels: of its model.

    Raises:
        PerceptionError: the parameters cannot be used.
    """

    def __init__(self, node: Any, labels: tuple[str, ...]) -> None:
        self._node: Node = node
        self._input = node.input
        self.frame = params.value(node, "ground_frame", str)
        self._drivable = tuple(filter(None, map(str.strip, params.value(node, "drivable", str).split(","))))
        missing = [label for label in self._drivable if label not in labels]
        if missing or not self._drivable:
            what = f"no label {missing[0]!r}" if missing else "no label"
            raise PerceptionError(
                f"drivable has {what} of this model; set it to some of: {', '.join(labels)}"
            )
        if not self.frame and not params.value(node, "camera_height_m", float):
            raise CameraError(
                "ground needs to know how the camera is above the floor: set camera_height_m and "
                "camera_pitch_deg (perception camera-pose finds them in one picture), or ground_frame"
            )
        self._transforms = Transforms(node) if self.frame else None
        self._info: Any = None
        self._key: tuple[Any, ...] = ()
        self._follower: GroundFollower | None = None
        self._unusable = ""  # why there is none for this key
        self._calibrated = (0, 0)
        self._refused = 0
        self._problem = ""
        self._said = ""

    def subscribe(self) -> None:
        """Create the inputs, until the node is deactivated."""
        self._input(topics.CAMERA_INFO, camera_info_topic(self._node), self._on_info, topics.NEWEST)
        if self._transforms is not None:
            self._transforms.subscribe(self._input)

    def reset(self) -> None:
        """Forget earlier frames."""
        if self._follower is not None:
            self._follower.reset()

    def look(self, road: RoadMask, frame: Frame, frame_id: str, stamp_ns: int) -> OnGround | None:
        """What a mask shows of the floor; None, with a reason in ``warning``, if the camera cannot be used.

        Args:
            road: the mask.
            frame: the picture that it is about.
            frame_id: of the camera.
            stamp_ns: when the picture was taken.
        """
        try:
            known = self._now(frame, frame_id).update(road, stamp_ns)
        except CameraError as error:
            self._refused += 1
            self._problem = str(error)
            self._node.get_logger().warning(f"ground: {error}", throttle_duration_sec=5.0)
            return None
        self._problem = ""
        self._said = _words(known)
        return known

    @property
    def warning(self) -> str:
        """Why nothing is said in metres; empty if something is."""
        return f"ground: {self._problem}" if self._problem else ""

    def facts(self) -> dict[str, str]:
        """What the diagnostics say besides, by key."""
        facts = {"ground": self._problem or self._said or "waiting for a frame"}
        if self._follower is not None:
            camera, pose = self._follower.ground.camera, self._follower.ground.floor.pose
            facts["camera"] = (
                f"{camera.width}x{camera.height} {camera.distortion_model}, {pose.height_m:.3f} m high, "
                f"pitch {pose.pitch_deg:.1f} deg, roll {pose.roll_deg:.1f} deg"
            )
            if (camera.height, camera.width) != self._calibrated:
                height, width = self._calibrated
                facts["camera"] += f", scaled from its calibration at {width}x{height}"
        facts["ground_refused"] = str(self._refused)
        return facts

    def _on_info(self, info: Any) -> None:
        self._info = info

    def _now(self, frame: Frame, frame_id: str) -> GroundFollower:
        """The follower for this camera and place, which goes on as long as they stay the same.

        Raises:
            CameraError: there is none; it is not looked for again until something has changed.
        """
        info = self._info
        if info is None:
            topic = self._node.resolve_topic_name(camera_info_topic(self._node))
            count = self._node.count_publishers(topic)
            raise CameraError(f"no camera_info on {topic} yet; {count} publishers; start the camera's driver")
        pose = self._pose(frame_id)
        ahead_m = params.value(self._node, "lane_ahead_m", float)
        confidence = params.value(self._node, "ground_confidence", float)
        size_hw = (frame.shape[0], frame.shape[1])
        key = (_fields(info), size_hw, pose, ahead_m, confidence)
        if key != self._key:
            self._key, self._follower, self._unusable = key, None, ""
            try:
                self._follower = self._made(info, size_hw, pose, ahead_m=ahead_m, confidence=confidence)
            except CameraError as error:  # which takes as long to find out as a plan of the floor
                self._unusable = str(error)
        if self._follower is None:
            raise CameraError(self._unusable)
        return self._follower

    def _made(
        self, info: Any, size_hw: tuple[int, int], pose: Pose, *, ahead_m: float, confidence: float
    ) -> GroundFollower:
        whole = Camera.of_info(info)
        self._calibrated = (whole.height, whole.width)
        ground = Ground(
            whole.scaled(size_hw),
            height_m=pose.height_m,
            pitch_deg=pose.pitch_deg,
            roll_deg=pose.roll_deg,
            confidence=confidence,
        )
        return GroundFollower(ground, ahead_m=ahead_m, drivable=self._drivable, lines=LINES)

    def _pose(self, frame_id: str) -> Pose:
        if self._transforms is not None:
            return self._transforms.pose(frame_id, self.frame)
        names = ("camera_height_m", "camera_pitch_deg", "camera_roll_deg")
        height, pitch, roll = (params.value(self._node, name, float) for name in names)
        return Pose(height, pitch, roll)


def _fields(info: Any) -> tuple[Any, ...]:
    roi = info.roi
    return (
        *(info.width, info.height, info.distortion_model, *info.k, *info.d, info.binning_x, info.binning_y),
        *(roi.x_offset, roi.y_offset, roi.width, roi.height),
    )


def _words(known: OnGround) -> str:
    """What is known, in a few words for people."""
    line = known.stop_line
    stop = {"seen": f"stop line {line.distance_m:.2f} m", "none": "no stop line"}.get(
        line.state, "stop line unknown"
    )
    if known.lane is None:
        return f"lane unknown ({known.corridor.why or known.corridor.end}), {stop}"
    lane = known.lane
    return f"lane {lane.offset_m:+.3f} m, {lane.heading_rad:+.2f} rad, {lane.width_m:.2f} m wide, {stop}"

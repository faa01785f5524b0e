"""Topics: what is published of the floor, all of it in the camera's frame, under the header of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from perception.ground.floor import Floor
from perception.ground.steady import OnGround
from perception.segmentation import RoadMask
from perception.topics import NEWEST_RELIABLE, RELIABLE, Make, Origin, Topic

POINT_CLOUD = "sensor_msgs/msg/PointCloud2"
PATH = "nav_msgs/msg/Path"
POSE = "geometry_msgs/msg/PoseStamped"
RANGE = "sensor_msgs/msg/Range"
TRANSFORMS = "tf2_msgs/msg/TFMessage"

_FLOAT32 = 7  # of PointField
_EVERY = 5  # rows of a plan between two poses of a path


@dataclass(frozen=True, repr=False, eq=False)
class RoadOnGround(RoadMask):
    """A mask, and what is known of the floor; ``ground`` is None without a camera_info that can be used."""

    ground: OnGround | None = None

    @classmethod
    def of(cls, road: RoadMask, ground: OnGround | None) -> RoadOnGround:
        """Put both together."""
        latency_ms = {**road.latency_ms, **(ground.latency_ms if ground else {})}
        return cls(road.class_ids, road.confidence, road.labels, road.palette, latency_ms, ground)

    def overlay(self, frame: Frame, *, alpha: float = 0.5, legend: bool = True) -> Frame:
        """A copy of the frame, coloured by class, with corridor, lane and stop line."""
        picture = super().overlay(frame, alpha=alpha, legend=legend)
        return picture if self.ground is None else self.ground.overlay(picture)


def _points(make: Make, road: RoadOnGround, origin: Origin) -> list[Any]:
    """One point for each pixel of the mask, NaN at the horizon and above."""
    if road.ground is None:
        return []
    cloud = road.ground.points
    height, width = cloud.shape[:2]
    fields = [
        make("sensor_msgs/msg/PointField", name=name, offset=4 * index, datatype=_FLOAT32, count=1)
        for index, name in enumerate("xyz")
    ]
    return [
        make(
            POINT_CLOUD,
            header=origin.header,
            height=height,
            width=width,
            fields=fields,
            is_bigendian=False,
            point_step=12,
            row_step=12 * width,
            data=cloud.reshape(-1).view(np.uint8),
            is_dense=False,
        )
    ]


def _corridor(make: Make, road: RoadOnGround, origin: Origin) -> list[Any]:
    """The middle of the way ahead, the nearest pose first; none where it is not known."""
    if road.ground is None:
        return []
    way, floor = road.ground.corridor, road.ground.ground.floor
    places, headings = way.middle[::_EVERY], way.heading_rad[::_EVERY]
    poses = [
        _pose(make, floor, place, heading, origin)
        for place, heading in zip(places.tolist(), headings.tolist())
    ]
    return [make(PATH, header=origin.header, poses=poses)]


def _lane(make: Make, road: RoadOnGround, origin: Origin) -> list[Any]:
    """The lane at the look-ahead distance; nothing where it is not known."""
    if road.ground is None or road.ground.lane is None:
        return []
    lane = road.ground.lane
    return [_pose(make, road.ground.ground.floor, (lane.ahead_m, lane.offset_m), lane.heading_rad, origin)]


def _stop_line(make: Make, road: RoadOnGround, origin: Origin) -> list[Any]:
    """As REP 117 has it: a distance, +Inf where there is none, NaN where nobody can say."""
    if road.ground is None:
        return []
    line = road.ground.stop_line
    distance = {"seen": line.distance_m, "none": math.inf, "unknown": math.nan}[line.state]
    near, far = (bound if math.isfinite(bound) else 0.0 for bound in (line.from_m, line.to_m))
    return [
        make(
            RANGE,
            header=origin.header,
            radiation_type=1,  # of light
            field_of_view=0.0,
            min_range=near,
            max_range=far,
            range=distance,
        )
    ]


def _pose(make: Make, floor: Floor, place: Sequence[float], heading_rad: float, origin: Origin) -> Any:
    """A place on the floor: its x axis is the way, its z axis is up."""
    (x, y, z) = floor.points(place)[0].tolist()
    ahead, left, up = floor.pose.axes
    cos, sin = math.cos(heading_rad), math.sin(heading_rad)
    turned = np.stack([cos * ahead + sin * left, cos * left - sin * ahead, up], axis=1)
    qx, qy, qz, qw = quaternion(turned)
    position = make("geometry_msgs/msg/Point", x=x, y=y, z=z)
    orientation = make("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw)
    pose = make("geometry_msgs/msg/Pose", position=position, orientation=orientation)
    return make(POSE, header=origin.header, pose=pose)


def quaternion(turn: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """x, y, z, w of a (3, 3) rotation."""
    axis = np.asarray(cv2.Rodrigues(turn)[0], np.float64).ravel()
    angle = float(np.linalg.norm(axis))
    x, y, z = (axis / angle * math.sin(angle / 2) if angle > 0 else axis).tolist()
    return x, y, z, math.cos(angle / 2)


GROUND = (
    Topic("segmentation/points", POINT_CLOUD, NEWEST_RELIABLE, _points, on_demand=True, events=True),
    Topic("ground/corridor", PATH, RELIABLE, _corridor, events=True),
    Topic("ground/lane", POSE, RELIABLE, _lane, events=True),
    Topic("ground/stop_line", RANGE, RELIABLE, _stop_line, events=True),
)

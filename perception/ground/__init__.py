"""Ground: metres in place of pixels, out of a mask, a calibrated camera and its place above a flat floor.

    mask ─► plan ─► edges ─► corridor ─► lane ─┐
     │        └───────────► stop line ─────────┴─► steady
     └─► points

``camera`` knows the lens, ``floor`` where a pixel is on the floor, and its plan from above. ``edges``,
``corridor`` and ``stop_line`` read one mask, ``steady`` those of a stream. ``pose`` finds how the camera is
over the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.errors import CameraError
from perception.ground import corridor as corridors
from perception.ground import edges, stop_line
from perception.ground.camera import Camera
from perception.ground.corridor import Corridor, Lane
from perception.ground.floor import CELLS, Floor, Plan, Pose
from perception.ground.stop_line import StopLine
from perception.segmentation import RoadMask

__all__ = ["Camera", "Corridor", "Floor", "Ground", "Lane", "Pose", "StopLine"]

SMALL_M, HEIGHTS = 2.0, 10.0  # how far a plan reaches: so far, or so many times the camera's height
LINES = ("line",)


class Ground:
    """What a mask says about the floor, in metres.

    Masks show what the camera's picture shows, at any size, as they do at that of a model's input. Whether a
    picture is the camera's is what :meth:`Camera.scaled` checks.

    Args:
        camera: a :class:`Camera`, or a sensor_msgs/CameraInfo.
        height_m: of the lens above the floor.
        pitch_deg: by which the camera looks down.
        roll_deg: by which it leans to its right.
        reach_m: how far ahead corridor, lane and stop line are looked for; by default 2 m, or ten times the
            height.
        confidence: 0…1, of the mask; where it is lower, nothing is known.

    Raises:
        CameraError: the camera is not calibrated, or cannot be so above a floor.
    """

    def __init__(
        self,
        camera: Any,
        *,
        height_m: float,
        pitch_deg: float,
        roll_deg: float = 0.0,
        reach_m: float | None = None,
        confidence: float = 0.6,
    ) -> None:
        camera = camera if isinstance(camera, Camera) else Camera.of_info(camera)
        self.floor = Floor(camera, Pose(height_m, pitch_deg, roll_deg))
        self.reach_m = max(SMALL_M, HEIGHTS * height_m) if reach_m is None else reach_m
        self.confidence = confidence
        self._floors = {(camera.height, camera.width): self.floor}
        self._plans: dict[tuple[int, int], Plan] = {}

    @property
    def camera(self) -> Camera:
        return self.floor.camera

    def points(self, mask: RoadMask) -> NDArray[np.float32]:
        """Where each pixel of a mask is on the floor.

        Returns:
            (H, W, 3) float32 m in the camera's frame (x right, y down, z ahead), read-only; NaN at the
            horizon and above. What is on the floor and not in it, such as a box, is right at its foot only.
        """
        return self.floor_of(mask).cloud

    def distance(self, uv: ArrayLike) -> Any:
        """How far away pixels are, along the floor from the point below the lens.

        Args:
            uv: (2,) or (N, 2) px of the camera's picture; whole numbers are the middles of pixels.

        Returns:
            Metres as a float, or (N,); NaN at the horizon and above.
        """
        pixels = np.asarray(uv, np.float64)
        found = np.hypot(*self.floor.places(pixels.reshape(-1, 2)).T)
        return float(found[0]) if pixels.ndim == 1 else found

    def corridor(
        self,
        mask: RoadMask,
        drivable: Sequence[str] = ("floor",),
        *,
        lines: Sequence[str] = LINES,
        width_m: float | None = None,
    ) -> Corridor:
        """The way ahead, between the nearest edges of what is drivable to the left and to the right.

        Args:
            mask: of one frame.
            drivable: labels that can be driven on.
            lines: labels that bound a lane, and can be driven over.
            width_m: of the lane, if it is known, for where only one edge is seen.

        Raises:
            KeyError: the mask has no label of ``drivable``; the message lists those it has.
        """
        plan = self._plan(mask)
        free, lined, sure = self._looked(mask, plan, drivable, lines)
        left, right = edges.lane_edges(*edges.ends(free, sure, plan), plan)
        way = corridors.between(left, right, plan, width_m=width_m)
        near = slice(CELLS // 2)
        if not way and sure[near].sum() < 0.5 * plan.seen[near].sum():
            return Corridor(why="unsure")
        return corridors.until_blocked(way, free, lined, sure, plan)

    def stop_line(self, mask: RoadMask, way: Corridor, *, lines: Sequence[str] = LINES) -> StopLine:
        """The nearest line across a corridor; across the way straight ahead if the corridor is not known."""
        plan = self._plan(mask)
        _, lined, sure = self._looked(mask, plan, (), lines)
        if not set(lines) & set(mask.labels):
            return StopLine("unknown")
        return stop_line.find(way, lined, sure, plan, to_m=self._lines_to_m(mask))

    def seen_m(self) -> tuple[float, float]:
        """From where to where ahead the camera sees the floor, within the reach.

        Raises:
            CameraError: it sees none of it.
        """
        plan = self._plan_at((self.camera.height, self.camera.width))
        rows = plan.ahead_m[plan.seen.any(axis=1)]
        if not len(rows):
            pose = self.floor.pose
            raise CameraError(
                f"camera: {pose.height_m:g} m high, looking down by {pose.pitch_deg:g}°, it sees no floor "
                f"up to {self.reach_m:g} m ahead; measure its height and pitch again"
            )
        return float(rows[0]), float(rows[-1])

    def floor_of(self, mask: RoadMask) -> Floor:
        """The floor as pictures of a mask's size show it."""
        return self.floor_at((int(mask.class_ids.shape[0]), int(mask.class_ids.shape[1])))

    def floor_at(self, size_hw: tuple[int, int]) -> Floor:
        """The floor as pictures of this size show it."""
        if size_hw not in self._floors:
            self._floors[size_hw] = Floor(self.camera.resized(size_hw), self.floor.pose)
        return self._floors[size_hw]

    def _plan(self, mask: RoadMask) -> Plan:
        return self._plan_at((int(mask.class_ids.shape[0]), int(mask.class_ids.shape[1])))

    def _plan_at(self, size_hw: tuple[int, int]) -> Plan:
        if size_hw not in self._plans:
            self._plans[size_hw] = Plan(self.floor_at(size_hw), self.reach_m)
        return self._plans[size_hw]

    def _looked(
        self, mask: RoadMask, plan: Plan, drivable: Sequence[str], lines: Sequence[str]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """The plan: what is drivable, what is a line (255 each), and of which cells the mask is sure."""
        if missing := [label for label in drivable if label not in mask.labels]:
            raise KeyError(f"no label {missing[0]!r}; this model has {', '.join(mask.labels)}")
        free, lined = (
            plan.of(_where(mask, [mask.labels.index(label) for label in labels if label in mask.labels]))
            for labels in (drivable, lines)
        )
        confidence = np.where(mask.class_ids < len(mask.labels), mask.confidence, np.uint8(0))
        # The mask is never sure right at a border, so a cell counts with its neighbours.
        around = cv2.blur(plan.of(np.asarray(confidence, np.uint8)), (9, 9), borderType=cv2.BORDER_REPLICATE)
        return free, lined, plan.seen & (around >= round(255 * self.confidence))

    def _lines_to_m(self, mask: RoadMask) -> float:
        """How far ahead a row of pixels is no longer than three cells of the plan."""
        floor = self.floor_of(mask)
        height, width = mask.class_ids.shape
        ahead = floor.places([((width - 1) / 2, row) for row in range(height)])[:, 0]
        steps = -np.diff(ahead)
        with np.errstate(invalid="ignore"):
            fine = ahead[1:][steps <= 3 * self.reach_m / CELLS]
        return float(min(self.reach_m, np.nanmax(fine, initial=0.0)))


def _where(mask: RoadMask, class_ids: list[int]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[class_ids] = 255
    return np.asarray(cv2.LUT(mask.class_ids, table), np.uint8)

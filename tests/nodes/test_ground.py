"""The segmentation node with ``ground``, as users start it: a process of its own, spoken to over DDS."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, Range

from perception import CameraError
from perception.nodes.transforms import Transforms
from perception.spec import ModelSpec
from tests.conftest import PALETTE, write_model
from tests.ground.tracks import across, arc, camera, lane, mask
from tests.ros import Peer, image, stamped, values
from training.datasets.tracks.calibration import calibrated

SEEN_BY = camera((120, 160))
LABELS = ("floor", "line", "object")  # what the colours of the test model mean here: blue, green, red
PARAMETERS = (
    "ground:=true",
    f"camera_height_m:={SEEN_BY.height_m}",
    f"camera_pitch_deg:={math.degrees(0.3)}",
    "stale_after:=100.0",  # that no frame comes for a moment is no news here
)


@pytest.fixture(scope="module")
def track_model(tmp_path_factory):
    """Answers with the strongest channel: blue is floor, green a line, red anything else."""
    spec = ModelSpec("segmentation", LABELS, PALETTE, (120, 160), trained_on="colours")
    return write_model(tmp_path_factory.mktemp("track") / "track.onnx", spec)


def info(**fields: object) -> CameraInfo:
    exact = calibrated(SEEN_BY)
    message = CameraInfo(width=160, height=120, distortion_model="plumb_bob", k=exact.K, d=[0.0] * 5)
    for name, value in fields.items():
        setattr(message, name, value)
    return stamped(message, 1)


def frame(*strokes: object) -> np.ndarray:
    """A picture of which the test model makes the track's exact mask."""
    colors = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 255)], np.uint8)
    return colors[np.minimum(mask(SEEN_BY, strokes).class_ids, 3)]


def test_a_lane_and_a_stop_line_come_out_in_metres(peer, start, track_model):
    start("segmentation", f"model:={track_model}", *PARAMETERS)
    kinds = {
        "segmentation/mask": Image,
        "segmentation/points": PointCloud2,
        "ground/corridor": Path,
        "ground/lane": PoseStamped,
        "ground/stop_line": Range,
    }
    got = {name: peer.collect(kind, name) for name, kind in kinds.items()}
    peer.matched(len(kinds))
    send_info, send = peer.sender(CameraInfo, "camera_info"), peer.sender(Image, "image_raw")
    picture = image(frame(*lane(arc(0.05)), across(arc(0.05), 0.5)), stamp=7)

    send(picture)  # before anything is known of the camera
    status = peer.health("segmentation", lambda status: "no camera_info" in status.message)
    assert status.level == status.WARN
    assert got["segmentation/mask"] and not got["ground/corridor"] and not got["segmentation/points"]

    send_info(info())
    peer.spin(0.5)
    for stamp in range(8, 11):
        picture = image(frame(*lane(arc(0.05)), across(arc(0.05), 0.5)), stamp=stamp)
        picture.header.stamp.sec, picture.header.stamp.nanosec = 8, 100_000_000 * (stamp - 8)
        send(picture)
        peer.until(
            lambda stamp=stamp: (
                len(got["ground/stop_line"]) > stamp - 8 and len(got["ground/lane"]) > stamp - 8
            ),
            f"frame {stamp}",
        )

    pose, cloud, path = got["ground/lane"][-1], got["segmentation/points"][-1], got["ground/corridor"][-1]
    assert pose.header == cloud.header == path.header == got["ground/stop_line"][-1].header == picture.header
    assert -pose.pose.position.x == pytest.approx(-0.05, abs=0.01)
    ahead = math.hypot(pose.pose.position.y, pose.pose.position.z)
    assert math.sqrt(ahead**2 - SEEN_BY.height_m**2) == pytest.approx(0.5, abs=0.001)
    assert got["ground/stop_line"][-1].range == pytest.approx(0.5, abs=0.02)
    assert len(path.poses) > 8
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (120, 160, 12, 1920)
    points = np.frombuffer(cloud.data, np.float32).reshape(120, 160, 3)
    assert np.isnan(points[0]).all() and np.isfinite(points[119]).all()
    status = peer.health("segmentation", lambda status: "stop line 0.5" in values(status).get("ground", ""))
    assert status.level == status.OK


def look_ahead(peer: Peer, metres: float) -> None:
    request = SetParameters.Request(parameters=[Parameter("lane_ahead_m", value=metres).to_parameter_msg()])
    assert peer.call(SetParameters, "/segmentation/set_parameters", request).results[0].successful


def test_a_camera_info_that_cannot_be_used_costs_the_metres_and_not_the_mask(peer, start, track_model):
    start("segmentation", f"model:={track_model}", *PARAMETERS)
    masks, lanes = peer.collect(Image, "segmentation/mask"), peer.collect(PoseStamped, "ground/lane")
    peer.matched(2)
    send_info, send = peer.sender(CameraInfo, "camera_info"), peer.sender(Image, "image_raw")
    picture = frame(*lane(arc()))

    def said(message: CameraInfo, words: str, stamp: int) -> None:
        send_info(message)
        peer.spin(0.3)
        send(image(picture, stamp=stamp))
        status = peer.health("segmentation", lambda status: words in status.message)
        assert status.level == status.WARN and values(status)["ground_refused"] == str(stamp)

    said(info(k=[0.0] * 9), "K is all zeros, so it is not calibrated", 1)
    said(info(width=640, height=360), "calibrated for 640x360, and the picture is 160x120", 2)
    said(info(distortion_model="thin_prism"), "'thin_prism'", 3)
    assert len(masks) == 3 and not lanes
    look_ahead(peer, 2.5)
    said(info(), "not at the look-ahead distance of 2.5 m", 4)
    send(image(picture, stamp=5))  # and still, although it is not computed again
    peer.health("segmentation", lambda status: values(status)["ground_refused"] == "5")
    look_ahead(peer, 0.5)
    send_info(info())
    peer.spin(0.3)
    send(image(picture, stamp=6))
    peer.until(lambda: lanes, "the lane")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (("ground:=true",), "set camera_height_m and camera_pitch_deg"),
        (
            (*PARAMETERS, "drivable:=Road"),
            "drivable has no label 'Road' of this model; set it to some of: floor",
        ),
    ],
)
def test_a_ground_that_cannot_be_measured_ends_the_start(start, track_model, parameters, words):
    code, output = start("segmentation", f"model:={track_model}", *parameters).ended()
    assert code == 1 and words in output


def transform(parent: str, child: str, xyz: tuple[float, ...], xyzw: tuple[float, ...]) -> SimpleNamespace:
    translation = SimpleNamespace(**dict(zip("xyz", xyz)))
    rotation = SimpleNamespace(**dict(zip("xyzw", xyzw)))
    placed = SimpleNamespace(translation=translation, rotation=rotation)
    return SimpleNamespace(header=SimpleNamespace(frame_id=parent), child_frame_id=child, transform=placed)


def test_tf_says_how_the_camera_is_above_the_floor(monkeypatch):
    monkeypatch.setattr("perception.nodes.transforms.message_class", lambda kind: object)
    transforms = Transforms(None)
    half = math.radians(15) / 2
    tree = [
        transform("base_link", "base_footprint", (0.0, 0.0, -0.05), (0.0, 0.0, 0.0, 1.0)),
        transform("base_link", "camera_link", (0.1, 0.0, 0.12), (0.0, math.sin(half), 0.0, math.cos(half))),
        transform("camera_link", "camera_optical", (0.0, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5)),  # REP 103
    ]
    transforms.take(SimpleNamespace(transforms=tree[:2]))
    with pytest.raises(CameraError, match="TF does not lead from 'camera_optical' to 'base_footprint'"):
        transforms.pose("camera_optical", "base_footprint")
    transforms.take(SimpleNamespace(transforms=tree[2:]))
    pose = transforms.pose("camera_optical", "base_footprint")
    assert (pose.height_m, pose.pitch_deg, pose.roll_deg) == pytest.approx((0.17, 15.0, 0.0))
    transforms.take(
        SimpleNamespace(transforms=[transform("camera_optical", "base_link", (0, 0, 0), (0, 0, 0, 1))])
    )
    with pytest.raises(CameraError, match="in a circle"):
        transforms.pose("camera_optical", "base_footprint")

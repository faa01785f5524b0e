"""A task that only this test knows as a node on DDS."""

from __future__ import annotations

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import Float32
from vision_msgs.msg import LabelInfo

from perception import tasks, topics
from perception.frames import Frame
from perception.nodes import messages
from perception.nodes.camera_node import CameraNode
from perception.nodes.job import Job
from tests import toy_runtime
from tests.ros import RED, image, pixels, solid, values


class BrightnessNode(CameraNode):
    """Publishes how bright each frame is."""

    task = toy_runtime.NAME

    def answer(self, job: Job, frame: Frame) -> toy_runtime.Brightness:
        return self.loaded()(frame)


def test_its_node_answers_frames(peer, spin, tmp_path, monkeypatch):
    monkeypatch.setitem(tasks.TASKS, toy_runtime.NAME, toy_runtime.TASK)
    model = Parameter("model", value=str(toy_runtime.write_toy_model(tmp_path / "brightness.onnx")))
    node = tasks.resolve(tasks.TASKS[toy_runtime.NAME].node)(parameter_overrides=[model])
    levels = peer.collect(Float32, "brightness/level", 10)
    overlays = peer.collect(Image, "brightness/overlay", 10)
    labels = peer.collect(LabelInfo, "brightness/label_info", messages.qos_profile(topics.LATCHED))
    statuses = peer.collect(DiagnosticArray, "/diagnostics", 10)
    spin(node)
    assert node.trigger_configure() == node.trigger_activate()
    peer.matched(2)

    peer.sender(Image, "image_raw")(image(solid(RED), stamp=3))
    peer.until(lambda: levels and overlays and labels, "level, overlay and labels")

    assert levels[0].data == pytest.approx(1 / 3)
    assert pixels(overlays[0])[0, 0].tolist() == [85, 85, 85]
    assert [entry.class_name for entry in labels[0].class_map] == ["Brightness"]
    status = peer.health("brightness", lambda status: values(status)["processed"] == "1", statuses)
    assert values(status)["task"] == "brightness"

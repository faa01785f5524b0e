"""A node while TensorRT builds; node and builder are real processes, the GPU is not there."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import Image

from perception.engines.cache import folder
from tests import gpu
from tests.conftest import COLORS
from tests.ros import image, pixels, solid, values

GREEN = (0, 255, 0)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Gives the GPU to all processes that the test starts."""
    for name, value in gpu.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_cpu_answers_and_says_so_until_tensorrt_does(peer, start, environment, segmentation_model: Path):
    environment.setenv(gpu.BUILD_S, "6")
    masks = peer.collect(Image, "segmentation/mask")
    arrays = peer.collect(DiagnosticArray, "/diagnostics", 10)
    start("segmentation", f"model:={segmentation_model}")
    send = peer.sender(Image, "image_raw")
    peer.matched(2)
    stamps = iter(range(1, 1_000_000))

    def seen(device: str) -> list[DiagnosticStatus]:
        statuses = [s for a in arrays for s in a.status if s.name.startswith("segmentation:")]
        return [s for s in statuses if values(s).get("device") == device]

    def all_answered() -> bool:
        """Whether each frame that came in has its answer, or made room for a newer one."""
        (last,) = seen("tensorrt")[-1:]
        frames = {name: int(values(last)[name]) for name in ("frames_in", "processed", "dropped", "errors")}
        assert not frames["errors"]
        return frames["frames_in"] == frames["processed"] + frames["dropped"]

    while not seen("tensorrt"):
        send(image(solid(GREEN), next(stamps)))
        peer.spin(0.05)
    peer.until(all_answered, "the answer to the newest frame")
    assert masks and all((pixels(mask) == COLORS.index("Green")).all() for mask in masks)
    building = [status for status in seen("cpu") if "building_s" in values(status)]
    warned = [status.message for status in building if status.level == DiagnosticStatus.WARN]
    assert "segnet.onnx: TensorRT has been building its engine for" in warned[-1]
    assert float(values(building[-1])["building_s"]) > float(values(building[0])["building_s"])
    assert all("building_s" not in values(status) for status in seen("tensorrt"))
    assert seen("tensorrt")[0].level == DiagnosticStatus.OK


def test_a_strict_node_does_not_start_without_its_engine(start, environment, segmentation_model: Path):
    code, output = start("segmentation", f"model:={segmentation_model}", "strict_device:=true").ended()

    assert code == 1
    assert f"(strict_device); build it first: perception build {segmentation_model}" in output


def test_an_order_that_cannot_be_met_is_an_error(peer, start, environment, segmentation_model: Path):
    environment.setenv(gpu.FAILS, "no such operator")
    start("segmentation", f"model:={segmentation_model}", "device:=tensorrt")
    send = peer.sender(Image, "image_raw")

    def fault(status: DiagnosticStatus) -> bool:
        send(image(solid(GREEN)))
        return status.level == DiagnosticStatus.ERROR and "no such operator" in status.message

    status = peer.health("segmentation", fault)
    assert "segnet.onnx: the CPU answers" in status.message and values(status)["device"] == "cpu"


def test_a_signal_ends_node_and_build(peer, start, environment, segmentation_model: Path):
    environment.setenv(gpu.BUILD_S, "600")
    process = start("segmentation", f"model:={segmentation_model}")
    peer.health("segmentation", lambda status: "building_s" in values(status))

    began = time.monotonic()
    code, _ = process.stop(signal.SIGTERM)

    assert code == 0 and time.monotonic() - began < 10.0
    assert not list(folder().glob("*.engine"))
    end = time.monotonic() + 10.0
    while builders(segmentation_model):
        assert time.monotonic() < end, "the build goes on"
        time.sleep(0.05)


def builders(model: Path) -> list[Path]:
    """The processes that build an engine of a model."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"build" in words and str(model).encode() in words:
            found.append(process)
    return found

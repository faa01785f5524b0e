"""The CPU answers until another process has built an engine; processes are real, the GPU is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import perception
from perception.engines import cache
from perception.engines.cache import Key
from perception.engines.ort import OrtEngine
from perception.engines.standby import StandbyEngine
from tests import gpu
from tests.conftest import COLORS, solid

PATIENCE_S = 90.0


class Next(OrtEngine):
    """Runs on the CPU and calls it ``cuda``."""

    def __init__(self, path: Path, device: str, *, may_build: bool = True) -> None:
        super().__init__(path, "cpu")
        self.device = device

    @classmethod
    def present(cls) -> tuple[str, ...]:
        return ("cuda",)


@pytest.fixture
def opened(
    tmp_path: Path, segmentation_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., perception.Segmenter]:
    """Opens a model with the CPU in front of a GPU that this process and those that it starts have."""
    gpu.install(monkeypatch.setattr)

    def opened(device: str = "auto", **settings: str) -> perception.Segmenter:
        for name, value in gpu.environment(tmp_path, **settings).items():
            monkeypatch.setenv(name, value)
        model = perception.load(segmentation_model, device=device, while_building="cpu")
        assert isinstance(model, perception.Segmenter)
        return model

    return opened


def standby(model: perception.Segmenter) -> StandbyEngine:
    assert isinstance(model.engine, StandbyEngine)
    return model.engine


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def children() -> set[int]:
    """The processes of this one that build."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"build" in words and parent == os.getpid():
            found.add(int(folder.name))
    return found


def test_the_cpu_answers_until_the_engine_is_there(opened: Callable[..., perception.Segmenter]) -> None:
    with opened(FAKE_GPU_BUILD_S="1") as segment:
        seen = [(segment.device, standby(segment).building_s)]
        wrong = 0
        while segment.device == "cpu":
            wrong += int((segment(solid("Green")).class_ids != COLORS.index("Green")).any())
            seen.append((segment.device, standby(segment).building_s))
            assert len(seen) < 1_000_000
        assert (segment(solid("Red")).class_ids == COLORS.index("Red")).all()
        assert not wrong and segment.device == "tensorrt"
        waited = [seconds for _, seconds in seen if seconds is not None]
        assert waited == sorted(waited) and waited[-1] >= 1.0
        wait(lambda: standby(segment).building_s is None)
        assert not standby(segment).problem
    with opened(FAKE_GPU_FAILS="it is built again") as segment:
        assert segment.device == "tensorrt" and not isinstance(segment.engine, StandbyEngine)


def test_the_cpu_answers_also_where_a_kept_engine_does_not_run(
    opened: Callable[..., perception.Segmenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(FAKE_GPU_BUILD_S="0") as segment:
        wait(lambda: segment.device == "tensorrt")
    (kept,) = cache.folder().glob("*.engine")
    key = Key(**json.loads(kept.read_bytes().partition(b"\n")[0])["key"])
    cache.keep(kept, key, b"of another driver")
    with opened(FAKE_GPU_BUILD_S="1") as segment:
        assert segment.device == "cpu"
        wait(lambda: segment.device == "tensorrt")


def test_an_order_that_cannot_be_met_leaves_the_cpu_and_says_why(
    opened: Callable[..., perception.Segmenter], caplog: pytest.LogCaptureFixture
) -> None:
    with opened("tensorrt", FAKE_GPU_FAILS="no such operator") as segment:
        wait(lambda: standby(segment).building_s is None)
        assert "no engine could be built" in standby(segment).problem
        assert "segnet.onnx: no such operator" in standby(segment).problem
        assert segment.device == "cpu"
        assert (segment(solid("Red")).class_ids == COLORS.index("Red")).all()
    assert "no such operator" in caplog.text


def test_auto_goes_on_with_the_next_device(
    opened: Callable[..., perception.Segmenter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perception.engines.BACKENDS", (*perception.engines.BACKENDS, f"{__name__}:Next"))
    with opened(FAKE_GPU_FAILS="no such operator") as segment:
        wait(lambda: segment.device != "cpu")
        assert segment.device == "cuda" and not standby(segment).problem


def test_closing_ends_the_build(opened: Callable[..., perception.Segmenter]) -> None:
    segment = opened(FAKE_GPU_BUILD_S="600")
    wait(lambda: bool(children()))
    began = time.monotonic()
    segment.close()
    wait(lambda: not children())
    assert time.monotonic() - began < PATIENCE_S / 2
    with pytest.raises(perception.DeviceError, match="closed"):
        segment.engine.infer(np.zeros((1, 24, 32, 3), np.uint8))


def test_the_build_does_not_outlive_a_process_that_is_killed(
    tmp_path: Path, segmentation_model: Path
) -> None:
    program = (
        "import sys, time, perception\n"
        "model = perception.load(sys.argv[1], while_building='cpu')\n"
        "while model.engine._process is None: time.sleep(0.01)\n"
        "print(model.engine._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = gpu.environment(tmp_path, FAKE_GPU_BUILD_S="600")
    command = [sys.executable, "-c", program, str(segmentation_model)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        build = Path("/proc", process.stdout.readline().strip())
        wait(lambda: b"build" in (build / "cmdline").read_bytes().split(b"\0"))
        process.kill()
    wait(lambda: not build.exists() or " Z " in (build / "stat").read_text())

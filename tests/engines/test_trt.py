"""The engine of TensorRT's own runtime, on a GPU that keeps CUDA's rules in the host's memory."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perception
from perception import DeviceError, NotBuiltError
from perception.engines import builder, cache, open_engine, trt
from perception.engines.cache import Key, folder
from perception.engines.ort import OrtEngine
from tests import gpu
from tests.conftest import COLORS, solid


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpu.install(monkeypatch.setattr)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_auto_takes_it_first_and_says_so(
    segmentation_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OrtEngine, "present", lambda: pytest.fail("nobody asks for the second way"))
    with perception.load(segmentation_model) as segment:
        assert segment.device == "tensorrt"
        assert (segment(solid("Green")).class_ids == COLORS.index("Green")).all()
    assert "builds an engine for Orin now, which can take minutes" in caplog.text


def test_it_answers_as_the_cpu_does_whatever_the_number_and_size(
    signs_model: Path, segmentation_model: Path, detector_model: Path
) -> None:
    random = np.random.default_rng(0)
    shapes = {
        signs_model: [(1, 16, 16, 3), (32, 16, 16, 3), (5, 16, 16, 3), (70, 16, 16, 3)],
        segmentation_model: [(1, 24, 32, 3), (3, 24, 32, 3)],
        detector_model: [(1, 64, 96, 3), (1, 32, 32, 3), (1, 480, 640, 3), (1, 64, 96, 3)],
    }
    for model, sizes in shapes.items():
        cpu, engine = (open_engine(model, device=device) for device in ("cpu", "tensorrt"))
        for size in sizes:
            frames = random.integers(0, 256, size, np.uint8)
            expected, outputs = cpu.infer(frames), engine.infer(frames)
            assert outputs.keys() == expected.keys()
            for name, output in outputs.items():
                assert output.dtype == expected[name].dtype
                np.testing.assert_array_equal(output, expected[name])


def test_outputs_whose_size_only_the_run_knows(detector_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpu.ON_REQUEST, "1")
    engine = open_engine(detector_model, device="tensorrt")
    for size in ((64, 96), (480, 640), (32, 32)):
        boxes = engine.infer(solid("Red", *size)[None])["boxes"]
        assert boxes.shape == (3, 4) and boxes[0].tolist() == [0, 0, size[1], size[0]]


def test_outputs_belong_to_the_caller(segmentation_model: Path) -> None:
    engine = open_engine(segmentation_model, device="tensorrt")
    green = engine.infer(solid("Green", 24, 32)[None])["mask"]
    red = engine.infer(solid("Red", 24, 32)[None])["mask"]
    engine.close()
    assert (green == COLORS.index("Green")).all() and (red == COLORS.index("Red")).all()
    green[:] = 0  # it may be written to


def test_it_is_called_from_several_threads(signs_model: Path) -> None:
    engine = open_engine(signs_model, device="tensorrt")
    answers: dict[str, list[str]] = {name: [] for name in COLORS}

    def ask(name: str) -> None:
        frames = np.stack([solid(name, 16, 16)] * (1 + COLORS.index(name)))
        for _ in range(20):
            best = engine.infer(frames)["scores"].argmax(axis=1)
            answers[name] += [COLORS[index] for index in best]

    threads = [threading.Thread(target=ask, args=(name,)) for name in COLORS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {name: [name] * 20 * (1 + COLORS.index(name)) for name in COLORS}


def test_closing_frees_all_and_says_so_afterwards(signs_model: Path) -> None:
    engine = open_engine(signs_model, device="tensorrt")
    cuda = gpu.FakeCuda.made
    assert cuda.memory and cuda.pinned and cuda.queues
    engine.close()
    engine.close()
    assert not cuda.memory and not cuda.pinned and not cuda.queues
    with pytest.raises(DeviceError, match=r"signs\.onnx: the model is closed; open it again"):
        engine.infer(np.zeros((1, 16, 16, 3), np.uint8))


def test_a_frame_beyond_the_largest_is_named(detector_model: Path) -> None:
    engine = open_engine(detector_model, device="tensorrt")
    with pytest.raises(DeviceError, match=r"inference failed on tensorrt: frames of \(1, 2000, 96, 3\)"):
        engine.infer(np.zeros((1, 2000, 96, 3), np.uint8))
    assert engine.infer(solid("Red", 64, 96)[None])["boxes"][0].tolist() == [0, 0, 96, 64]


def test_an_engine_is_built_once_and_kept(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_engine(signs_model, device="tensorrt").close()
    assert "builds an engine" in caplog.text
    monkeypatch.setenv(gpu.FAILS, "it is built again")
    caplog.clear()
    assert open_engine(signs_model, while_building="refuse").device == "tensorrt"
    assert not caplog.text


def test_one_is_built_after_the_other(
    signs_model: Path, segmentation_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorRT times what it tries."""
    busy: list[int] = [0]
    most: list[int] = []

    def build(source: builder.Source, *others: Any, **options: Any) -> bytes:
        busy[0] += 1
        time.sleep(0.2)
        most.append(busy[0])
        busy[0] -= 1
        return gpu.build(source, *others, **options)

    monkeypatch.setattr(builder, "build", build)
    models = (signs_model, segmentation_model, signs_model)
    with ThreadPoolExecutor() as threads:
        made = list(threads.map(trt.build, models))
    assert most == [1, 1]  # and the third found what the first had built
    assert sorted(is_new for _, is_new in made) == [False, True, True]


def test_another_model_gpu_or_tensorrt_has_an_engine_of_its_own(
    signs_model: Path, segmentation_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engines() -> int:
        for model in (signs_model, segmentation_model):
            open_engine(model, device="tensorrt").close()
        return len(list(folder().glob("*.engine")))

    assert engines() == 2
    monkeypatch.setattr(gpu.MODULE, "__version__", "10.16.0")
    assert engines() == 4
    monkeypatch.setattr(gpu.FakeCuda, "gpu", lambda self: gpu.Gpu("Orin Nano", (8, 7)))
    assert engines() == 6


def test_a_kept_engine_that_does_not_run_here_is_built_again(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_engine(signs_model, device="tensorrt").close()
    load = cache.load
    monkeypatch.setattr(cache, "load", lambda path, key: load(path, key) and b"of another driver")
    assert open_engine(signs_model, device="tensorrt").device == "tensorrt"
    assert "the engine is of another driver" in caplog.text and "is built again" in caplog.text


def test_a_kept_engine_that_does_not_run_here_is_not_built_where_that_is_refused(signs_model: Path) -> None:
    kept, _ = trt.build(signs_model)
    key = Key(**json.loads(kept.read_bytes().partition(b"\n")[0])["key"])
    cache.keep(kept, key, b"of another driver")
    with pytest.raises(NotBuiltError, match="build it first"):
        open_engine(signs_model, while_building="refuse")
    assert not kept.exists()  # so that it is built: the next one would fail as this one did


def test_an_engine_that_cannot_be_kept_is_used_all_the_same(
    tmp_path: Path, signs_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert open_engine(signs_model, device="tensorrt").device == "tensorrt"
    assert "its engine is not kept, so the next start builds again" in caplog.text


def test_a_model_that_tensorrt_does_not_take(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(gpu.FAILS, "no such operator")
    assert open_engine(signs_model).device == "cpu"
    assert "no such operator" in caplog.text and "trying the next device" in caplog.text
    with pytest.raises(DeviceError, match=r"signs\.onnx: no such operator.*or use device='auto'"):
        open_engine(signs_model, device="tensorrt")


@pytest.mark.parametrize("device", ["auto", "tensorrt"])
def test_building_can_be_refused(signs_model: Path, device: str) -> None:
    with pytest.raises(NotBuiltError, match=r"signs\.onnx: .* build it first: perception build .*signs"):
        open_engine(signs_model, device=device, while_building="refuse")

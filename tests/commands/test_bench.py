import json
from pathlib import Path

import cv2
import pytest

from perception.commands.bench import bench
from perception.engines.fake import FakeEngine
from perception.errors import InputError, ModelNotFoundError, WrongTaskError
from perception.signs import SignClassifier
from tests import gpu
from tests.bags import raw, rois, write_bag
from tests.conftest import SIGNS, solid


def test_tensorrt_is_named_where_it_ran(
    signs_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu.install(monkeypatch.setattr)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (on_gpu,) = bench([signs_model], count=2)
    (on_cpu,) = bench([signs_model], count=2, device="cpu")
    assert (on_gpu.device, on_gpu.machine["tensorrt"]) == ("tensorrt", "tensorrt 10.3.0")
    assert on_cpu.device == "cpu" and "tensorrt" not in on_cpu.machine


def test_every_stage_is_timed_and_the_machine_named(signs_model: Path) -> None:
    (result,) = bench([signs_model], count=5)
    assert list(result.stages_ms) == ["read", "prepare", "infer", "finish", "total"]
    for stage in result.stages_ms.values():
        assert 0 <= stage["p50"] <= stage["p95"] <= stage["p99"]
    assert (result.frames, result.frame, result.device) == (5, "1280x720 JPEG", "cpu")
    assert result.fps > 0
    assert {"processor", "cores", "system", "python", "onnxruntime"} <= set(result.machine)
    json.dumps(result.to_json())


def test_frames_of_a_file(tmp_path: Path, segmentation_model: Path) -> None:
    cv2.imwrite(str(tmp_path / "street.png"), solid("Red", 30, 50))
    (result,) = bench([segmentation_model], count=2, input_path=tmp_path / "street.png")
    assert result.frame == "50x30 JPEG from street.png"


def test_a_detector_is_timed_alone(detector_model: Path) -> None:
    (result,) = bench([detector_model], count=2, boxes=3)
    assert list(result.stages_ms) == ["read", "prepare", "infer", "finish", "total"]
    assert (result.task, result.boxes) == ("sign_detection", None)


def test_finding_and_reading_are_timed_together(
    tmp_path: Path, signs_model: Path, detector_model: Path, segmentation_model: Path
) -> None:
    cv2.imwrite(str(tmp_path / "street.png"), solid("Red", 30, 50))
    files = [signs_model, segmentation_model]
    both, road = bench(files, count=2, boxes=3, input_path=tmp_path / "street.png", detector=detector_model)
    finding = ["find prepare", "find infer", "find finish"]
    assert list(both.stages_ms) == ["read", *finding, "prepare", "infer", "finish", "total"]
    assert list(road.stages_ms) == ["read", "prepare", "infer", "finish", "total"]
    assert both.boxes is None
    cv2.imwrite(str(tmp_path / "empty.png"), solid("grey", 30, 50))
    (nothing,) = bench([signs_model], count=2, input_path=tmp_path / "empty.png", detector=detector_model)
    assert list(nothing.stages_ms) == ["read", *finding, "total"]
    with pytest.raises(WrongTaskError, match="a model for 'signs' finds no boxes"):
        bench([signs_model], count=2, detector=signs_model)


def test_models_of_one_task_are_compared(signs_model: Path, segmentation_model: Path) -> None:
    first, road, again = bench([signs_model, segmentation_model, signs_model], count=12, boxes=3)
    assert (first.boxes, road.boxes, first.frames) == (3, None, 12)
    assert [result.compared_with for result in (first, road, again)] == [None, None, str(signs_model)]
    assert first.times_as_fast == road.times_as_fast == 1.0


def test_the_second_model_is_so_many_times_as_fast_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = FakeEngine(SIGNS, latency_s=0.05), FakeEngine(SIGNS)
    engines = {Path("slow.onnx"): slow, Path("fast.onnx"): fast}
    monkeypatch.setattr("perception.load", lambda path, **_: SignClassifier(engines[path]))
    first, second = bench(list(engines), count=5, boxes=3)
    assert first.times_as_fast == 1.0 < second.times_as_fast
    assert set(slow.batches) == set(fast.batches) == {3}
    assert 50.0 <= first.stages_ms["infer"]["p50"] <= first.stages_ms["total"]["p50"]


def test_an_input_without_a_usable_frame(tmp_path: Path, signs_model: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not one usable frame"):
        bench([signs_model], count=2, input_path=tmp_path / "broken.jpg")


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        bench([tmp_path / "none.onnx"], count=1)


def test_a_bag_with_two_cameras_and_boxes_of_both(tmp_path: Path, signs_model: Path) -> None:
    messages = [("/left/image_raw", raw(solid("Red", 30, 50), 0)), ("/right/image_raw", raw(solid("Red"), 0))]
    boxes = [(topic, rois([], 0)) for topic in ("/left/rois", "/right/rois")]
    bag = write_bag(tmp_path / "bag", messages + boxes)
    with pytest.raises(InputError, match="choose one with --topic"):
        bench([signs_model], count=1, input_path=bag)
    (result,) = bench([signs_model], count=1, input_path=bag, topic="/left/image_raw")
    assert result.frame == "50x30 JPEG from bag"

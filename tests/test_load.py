import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

import perception
from perception.boxes import pairs
from perception.engines import accelerators
from perception.engines.gpus import nvidia_device
from perception.recordings.bag import BagReader
from perception.recordings.sources import open_source
from perception.tasks import TASKS
from tests.conftest import solid

MODELS = Path(__file__).parents[1] / "models"
STREET, ROIS = Path(__file__).parents[1] / "demo" / "street", "/camera/rois"


def test_the_task_of_the_file_decides(signs_model: Path, segmentation_model: Path) -> None:
    classify = perception.load(signs_model)
    assert isinstance(classify, perception.SignClassifier)
    assert classify(solid("Red")).label == "Red"
    segment = perception.load(str(segmentation_model), device="cpu")
    assert isinstance(segment, perception.Segmenter)
    assert segment(solid("Red")).fraction("Red") == 1.0


def test_an_unusable_file_is_an_error_of_this_package(tmp_path: Path) -> None:
    with pytest.raises(perception.PerceptionError, match=r"no-model\.onnx: no such file"):
        perception.load(tmp_path / "no-model.onnx")


def test_importing_needs_neither_torch_nor_ros() -> None:
    code = "import perception, sys; assert not {'torch', 'rclpy', 'onnx'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opening_a_model_needs_neither_torch_nor_onnx(signs_model: Path) -> None:
    code = (
        "import perception, sys; perception.load(sys.argv[1]); assert not {'torch', 'onnx'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code, str(signs_model)], check=True)


def test_a_model_is_closed_at_the_end_of_with(segmentation_model: Path) -> None:
    with perception.load(segmentation_model) as segment:
        assert segment(solid("Red")).fraction("Red") == 1.0
    with pytest.raises(perception.DeviceError, match="closed"):
        segment(solid("Red"))


def test_everything_exported_is_there() -> None:
    assert all(hasattr(perception, name) for name in perception.__all__)


def test_the_shipped_sign_model() -> None:
    classify = perception.load(MODELS / "signs.onnx", device="cpu")
    assert isinstance(classify, perception.SignClassifier)
    assert (MODELS / "signs.onnx").stat().st_size <= 4 * 2**20
    assert len(classify.spec.labels) == 43
    assert classify.spec.metrics and classify.spec.source
    signs = classify.classify([solid("grey", 30, 40), solid("Red", 200, 100)])
    np.testing.assert_allclose([sign.scores.sum() for sign in signs], 1.0, rtol=1e-4)
    assert all(0 <= sign.known <= 1 for sign in signs)


def test_the_shipped_segmentation_model() -> None:
    segment = perception.load(MODELS / "segnet.onnx", device="cpu")
    assert isinstance(segment, perception.Segmenter)
    assert (MODELS / "segnet.onnx").stat().st_size <= 8 * 2**20
    assert {"Road", "Sky", "Car"} <= set(segment.spec.labels)
    assert segment.spec.metrics and segment.spec.source
    road = segment(np.random.default_rng(0).integers(0, 256, (800, 1360, 3), np.uint8))
    assert road.class_ids.shape == (800, 1360)
    assert road.confidence.any()


@pytest.mark.parametrize("name", ["signs.onnx", "signs.int8.onnx"])
def test_the_shipped_sign_models_read_the_signs_of_the_demo(name: str) -> None:
    classify = perception.load(MODELS / name, device="cpu")
    with BagReader(STREET) as bag:
        truth = [message.detections for _, _, message in bag.messages([ROIS])]
    right = [
        sign.class_id == int(detection.results[0].hypothesis.class_id) and bool(sign)
        for shot, detections in zip(open_source(STREET).shots(), truth, strict=True)
        for sign, detection in zip(classify.classify_boxes(shot.image, shot.boxes), detections, strict=True)
    ]
    assert len(right) == 249  # 83 signs, each in three frames
    assert sum(right) >= 237


@pytest.mark.parametrize(
    ("width", "height", "signs", "grey"),
    [(1360, 800, 83, False), (1360, 800, 83, True), (640, 376, 83, False), (224, 132, 29, False)],
)
def test_the_shipped_detector_finds_the_signs_of_the_demo(
    width: int, height: int, signs: int, grey: bool
) -> None:
    """Those of at least 10 px, also in the frames of small and of grey cameras."""
    find = perception.load(MODELS / "sign_detector.onnx", device="cpu")
    there, found = 0, 0
    for shot in islice(open_source(STREET).shots(), 0, None, 3):  # each scene comes three times
        frame = cv2.resize(shot.image, (width, height), interpolation=cv2.INTER_AREA)
        if grey:
            frame = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        truth = shot.boxes * ([width / 1360, height / 800] * 2)
        large = [box for box in truth if min(box[2] - box[0], box[3] - box[1]) >= 10]
        there += len(large)
        found += len(pairs(np.reshape(large, (-1, 4)), find(frame).xyxy.astype(float), least=0.5))
    assert there == signs
    assert found >= (0.9 if grey else 0.95) * signs


def test_the_shipped_reader_reads_a_whole_street() -> None:
    shot = next(open_source(STREET).shots())
    find, classify = (
        perception.load(MODELS / name, device="cpu") for name in ("sign_detector.onnx", "signs.onnx")
    )
    with perception.SignReader(find, classify) as read:
        signs = read(shot.image)
    known = [sign for sign in signs if sign]
    truth = pairs(shot.boxes, np.array([sign.box for sign in known]), least=0.5)
    assert len(truth) == len(shot.boxes) == 3
    assert {sign.label for sign in known} >= {"Give way", "Keep right", "Roundabout"}


@pytest.mark.parametrize("name", ["segnet.onnx", "segnet.int8.onnx"])
def test_the_shipped_segmentation_models_see_a_street(name: str) -> None:
    segment = perception.load(MODELS / name, device="cpu")
    road = segment(next(open_source(STREET).shots()).image)
    assert road.fraction("Road") > 0.15
    height, width = road.class_ids.shape
    below = road.class_ids[int(0.7 * height) :, width // 4 : 3 * width // 4]
    assert np.mean(below == road.labels.index("Road")) > 0.6


@pytest.mark.gpu
@pytest.mark.skipif(not nvidia_device(), reason="there is no NVIDIA GPU")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_answers_as_the_cpu_does(device: str) -> None:
    if device not in accelerators():
        pytest.skip(f"{device} is not installed; see docs/tensorrt.md, and make gpu")
    shot = next(open_source(STREET).shots())
    here, there = (
        perception.load(MODELS / "segnet.onnx", device=where)(shot.image) for where in ("cpu", device)
    )
    assert np.mean(here.class_ids == there.class_ids) > 0.99
    here, there = (
        perception.load(MODELS / "signs.onnx", device=where).classify_boxes(shot.image, shot.boxes)
        for where in ("cpu", device)
    )
    assert [sign.class_id for sign in here] == [sign.class_id for sign in there]
    for frame in (shot.image, shot.image[::4, ::4], shot.image[:480, :640]):
        here, there = (
            perception.load(MODELS / "sign_detector.onnx", device=where)(frame) for where in ("cpu", device)
        )
        sure = here.scores > here.scores.max(initial=0) / 2
        near = pairs(here.xyxy[sure].astype(float), there.xyxy.astype(float), least=0.9)
        assert len(near) == sure.sum()


@pytest.mark.parametrize("name", sorted(path.name for path in MODELS.glob("*.onnx")))
def test_the_model_card_describes_the_file_that_is_there(name: str) -> None:
    card = (MODELS / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() in card
    assert re.search(rf"\b{re.escape(name)}\b", card)


def test_a_task_without_a_runtime_is_refused(signs_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "signs", replace(TASKS["signs"], runner=""))
    with pytest.raises(perception.WrongTaskError, match="'signs'; this release runs 'segmentation' and"):
        perception.load(signs_model)


@pytest.mark.parametrize("rim", [40, 110, 200])
def test_the_back_of_a_sign_is_never_confirmed(rim: int) -> None:
    find, classify = (
        perception.load(MODELS / name, device="cpu") for name in ("sign_detector.onnx", "signs.onnx")
    )
    shot = next(open_source(STREET).shots())
    frame = cv2.resize(shot.image, (680, 400), interpolation=cv2.INTER_AREA)
    frame[200:] = frame[200:].mean(axis=(0, 1))  # road, without the scene's own signs
    frame[:200] = (200, 190, 180)
    cv2.circle(frame, (340, 110), 24, (130, 130, 130), -1, cv2.LINE_AA)
    cv2.circle(frame, (340, 110), 24, (rim, rim, rim), 2, cv2.LINE_AA)
    cv2.line(frame, (340, 80), (340, 300), (90, 90, 90), 6)  # from behind, the post is in front
    for y in (100, 120):
        cv2.line(frame, (328, y), (352, y), (70, 70, 70), 2)  # clamps
    signs = perception.SignReader(find, classify).read(frame)
    assert signs and signs[0].found > 0.5  # it looks like one
    track = perception.SignTracker(classify.spec)
    for number in range(60):
        assert not track.update(signs, number * 50_000_000).current

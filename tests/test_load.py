import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import perception
from perception.spec import ModelSpec
from tests.conftest import SIGNS, solid, write_model

MODELS = Path(__file__).parents[1] / "models"


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


@pytest.mark.parametrize("name", ["signs.onnx", "signs.int8.onnx", "segnet.onnx", "segnet.int8.onnx"])
def test_the_model_card_describes_the_file_that_is_there(name: str) -> None:
    card = (MODELS / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() in card
    assert re.search(rf"\b{re.escape(name)}\b", card)


def test_a_task_without_a_runtime_is_refused(tmp_path: Path) -> None:
    detector = ModelSpec("sign_detection", SIGNS.labels, SIGNS.palette, SIGNS.input_hw)
    with pytest.raises(perception.WrongTaskError, match="'sign_detection'; this release runs"):
        perception.load(write_model(tmp_path / "detector.onnx", detector))

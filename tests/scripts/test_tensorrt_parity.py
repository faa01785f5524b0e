"""Whether the comparison of TensorRT with the CPU notices what differs; without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scripts import tensorrt_parity
from scripts.tensorrt_parity import difference
from tests import gpu
from tests.conftest import DETECTION, SEGMENTATION, SIGNS


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpu.install(monkeypatch.setattr)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_equal_answers_are_found_equal(
    signs_model: Path,
    segmentation_model: Path,
    detector_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = [str(model) for model in (signs_model, segmentation_model, detector_model)]
    numbers = tmp_path / "numbers.json"
    assert tensorrt_parity.main([*models, "--calls", "5", "--json", str(numbers)]) == 0
    written = json.loads(numbers.read_text())
    assert (written["machine"]["gpu"], written["machine"]["tensorrt"]) == ("Orin", "tensorrt 10.3.0")
    found = {parity["model"]: parity for parity in written["models"]}
    assert {name: parity["frames"] for name, parity in found.items()} == {
        "signs.onnx": 8 + 8 + 40,
        "segnet.onnx": 8,
        "sign_detector.onnx": 4 * 8,
    }
    for parity in found.values():
        assert parity["is_right"] and not parity["scores"] and not parity["ids"] and not parity["px"]
        assert parity["infer_ms"].keys() == {"cpu", "tensorrt"}
    assert "segnet.onnx: the same over 8 frames" in capsys.readouterr().out


def test_another_answer_ends_it_with_1(
    segmentation_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    computed = gpu.Engine._computed
    monkeypatch.setattr(
        gpu.Engine,
        "_computed",
        lambda engine, frames: computed(engine, np.ascontiguousarray(frames[:, ::-1])),
    )
    assert tensorrt_parity.main([str(segmentation_model), "--calls", "5"]) == 1
    assert "segnet.onnx: DIFFERENT" in capsys.readouterr().out


def test_what_differs_is_measured_in_its_own_unit() -> None:
    mask = np.zeros((1, 24, 32), np.uint8)
    sure = np.full((1, 24, 32), 255, np.uint8)
    other = mask.copy()
    other[0, 0] = 1
    found = difference(
        SEGMENTATION, {"mask": mask, "confidence": sure}, {"mask": other, "confidence": sure - 51}
    )
    assert found == {"ids": 1 / 24, "scores": 0.2}
    scores = np.float32([[0.6, 0.4, 0], [0, 0, 1]])
    known = np.float32([1, 1])
    moved = np.float32([[0.4, 0.6, 0], [0, 0, 1]])
    found = difference(SIGNS, {"scores": scores, "known": known}, {"scores": moved, "known": known})
    assert found == {"scores": pytest.approx(0.2), "ids": 0.5}
    before = {"boxes": np.float32([[0, 0, 9, 9], [5, 5, 6, 6]]), "scores": np.float32([0.9, 0.1])}
    after = {"boxes": np.float32([[0, 0, 9, 7], [1, 1, 2, 2]]), "scores": np.float32([0.9, 0.05])}
    assert difference(DETECTION, before, after) == {"px": 2.0, "scores": 0.0}

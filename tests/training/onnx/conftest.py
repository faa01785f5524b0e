"""Model files of untrained nets, and their INT8 versions."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from tests.training.nets import NAMES, pictures, write_models
from training.onnx.int8 import to_int8


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """signs.onnx and segnet.onnx with random weights."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="package")
def int8(models: Path) -> Path:
    """Their INT8 versions, without a data set."""
    folder = models / "int8"
    folder.mkdir()
    for name in NAMES:
        onnx.save(
            to_int8(onnx.load(models / f"{name}.onnx"), pictures(models / f"{name}.onnx", 8)), folder / name
        )
    return folder

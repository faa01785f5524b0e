"""NVIDIA's own parser takes the shipped models and builds engines of them, on a machine without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tensorrt import engine_size, makes_bytes_of

MODELS = sorted((Path(__file__).resolve().parents[2] / "models").glob("*.onnx"))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_shipped_model_becomes_an_engine(model: Path) -> None:
    assert engine_size(model) > 0


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_bytes_are_made_of_floats(model: Path) -> None:
    """All that NVIDIA's documentation of data types promises, though this parser takes integers, too."""
    assert makes_bytes_of(model) <= {"FLOAT"}

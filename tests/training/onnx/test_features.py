"""The deepest features of an exported net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.errors import ModelError
from tests.training.nets import pictures
from training.onnx.features import Features


def test_features_are_those_of_the_deepest_layer(models: Path) -> None:
    features = Features(models / "segnet.onnx")
    frames = pictures(models / "segnet.onnx", 3)
    found = features(frames)
    assert found.shape == (3, 24)  # the widest layer, at 1/16
    assert np.allclose(features(frames[1:2])[0], found[1], atol=1e-5)
    assert not np.allclose(found[0], found[1])


def test_a_file_without_such_a_layer_is_refused(segmentation_model: Path) -> None:
    with pytest.raises(ModelError, match="no layer in it has channels, height and width"):
        Features(segmentation_model)

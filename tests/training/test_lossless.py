"""What is kept as JSON comes back as it was, to the last bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.datasets.images import BoxImage
from training.lossless import from_plain, to_plain


@dataclass(frozen=True, eq=False)
class Answer:
    image: BoxImage
    scores: np.ndarray


def again(value: Any) -> Any:
    return from_plain(json.loads(json.dumps(to_plain(value))))


def test_numbers_texts_and_collections_come_back() -> None:
    value = {("fog", 3): [0.1 + 0.2, None, True, 7, b"\x00\xff", "é\udcff"], "path": (Path("a\udcff/b"), ())}
    assert again(value) == value
    assert [type(one) for one in again([True, 1, 1.0])] == [bool, int, float]
    assert np.isnan(again(float("nan"))) and again(float("inf")) == float("inf")


@pytest.mark.parametrize(
    "array",
    [
        np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32),
        np.empty((0, 4), np.float64),
        np.arange(12, dtype=np.uint8).reshape(3, 4)[:, ::2],
        np.array([True, False]),
        np.float32(0.1),
    ],
)
def test_arrays_come_back_bit_by_bit(array: Any) -> None:
    found = again(array)
    assert type(found) is type(array) and found.dtype == array.dtype and found.shape == array.shape
    assert found.tobytes() == array.tobytes()


def test_dataclasses_come_back() -> None:
    image = BoxImage(Path("a.png"), ((1.0, 2.0, 3.0, 4.5),), (2,), "val", size_wh=(64, 48))
    found = again(Answer(image, np.array([0.1, 0.7], np.float32)))
    assert isinstance(found, Answer) and found.image == image
    assert found.scores.tolist() == np.array([0.1, 0.7], np.float32).tolist()


@pytest.mark.parametrize("made", ["Path", "Any", "gone", "json.dumps"])
def test_a_file_makes_nothing_but_dataclasses(made: str) -> None:
    plain = {"dataclass": {"path": "x"}, "module": __name__, "name": made}
    with pytest.raises(ValueError, match="nothing that was kept"):
        from_plain(plain)
    with pytest.raises(ValueError, match="nothing that was kept"):
        from_plain({"dataclass": {}, "module": "no.such.module", "name": "Answer"})


def test_what_cannot_be_kept_is_an_error() -> None:
    with pytest.raises(TypeError, match="object cannot be kept"):
        to_plain([object()])

"""A new backend is a plain class and one line in the list; the rest tries devices, warms up and checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perception
from perception import DeviceError
from perception.engines import BACKENDS, open_engine, read_spec
from perception.engines.ort import OrtEngine
from tests.conftest import solid


class Accelerator(OrtEngine):
    """Runs on the CPU and calls it ``cuda``; opens, infers and closes as the test wants."""

    opened: list[str]
    closed: list[str]
    error: Exception | None = None
    broken = False

    def __init__(self, path: Path, device: str, *, may_build: bool = True) -> None:
        if self.error:
            raise self.error
        super().__init__(path, "cpu")
        self.device = device
        self.opened.append(device)

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        return ("cuda",)

    @classmethod
    def present(cls) -> tuple[str, ...]:
        return ("cuda",)

    def infer(self, frames: np.ndarray) -> Mapping[str, Any]:
        outputs = super().infer(frames)
        return {name: output[..., :1] for name, output in outputs.items()} if self.broken else outputs

    def close(self) -> None:
        self.closed.append(self.device)
        super().close()


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> type[Accelerator]:
    line = "tests.engines.test_backends:Accelerator"
    monkeypatch.setattr("perception.engines.BACKENDS", (line, *BACKENDS))
    monkeypatch.setattr(Accelerator, "opened", [], raising=False)
    monkeypatch.setattr(Accelerator, "closed", [], raising=False)
    return Accelerator


def test_the_first_backend_that_knows_the_device_is_taken(
    accelerator: type[Accelerator], signs_model: Path
) -> None:
    with perception.load(signs_model) as classify:
        assert (classify.device, accelerator.opened) == ("cuda", ["cuda"])
        assert classify(solid("Red")).label == "Red"
        assert classify.spec == read_spec(signs_model)
    assert accelerator.closed == ["cuda"]
    with perception.load(signs_model, device="cpu") as classify:
        assert classify.device == "cpu" and accelerator.opened == ["cuda"]


def test_a_device_that_fails_is_named_and_the_next_one_taken(
    accelerator: type[Accelerator],
    signs_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(accelerator, "error", DeviceError("no such luck; plug it in"))
    assert open_engine(signs_model).device == "cpu"
    assert "no such luck" in caplog.text and "trying the next device" in caplog.text
    with pytest.raises(DeviceError, match=r"no such luck; plug it in; or use device='auto'"):
        open_engine(signs_model, device="cuda")


def test_a_device_that_answers_wrong_is_closed(
    accelerator: type[Accelerator], signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(accelerator, "broken", True)
    assert open_engine(signs_model).device == "cpu"
    assert accelerator.closed == ["cuda"]
    assert "on the CPU it is right, so cuda misreads the model" in caplog.text

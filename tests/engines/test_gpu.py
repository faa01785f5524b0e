"""TensorRT on a real GPU, where there is one: what the rest of the tests can only pretend."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from perception.engines import accelerators, open_engine
from perception.engines.cuda import CudaPython
from perception.engines.gpus import nvidia_device
from perception.engines.trt import TrtEngine
from perception.paths import shared
from perception.recordings.sources import open_source
from scripts.tensorrt_parity import compare
from tests.conftest import COLORS, solid

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.onnx"))

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not nvidia_device(), reason="there is no NVIDIA GPU"),
    pytest.mark.skipif("tensorrt" not in accelerators(), reason="TensorRT is not installed"),
]


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_what_is_copied_to_the_gpu_comes_back() -> None:
    cuda = CudaPython()
    assert cuda.gpu().name and cuda.gpu().capability >= (7, 5)
    stream, address, memory = cuda.stream(), cuda.allocate(1 << 20), cuda.pin(1 << 20)
    expected = np.random.default_rng(0).integers(0, 256, 1 << 20, np.uint8)
    memory[:] = expected
    cuda.upload(address, memory, stream)
    cuda.wait(stream)
    memory[:] = 0
    cuda.download(memory, address, stream)
    cuda.wait(stream)
    assert (memory == expected).all()
    cuda.unpin(memory)
    cuda.free(address)
    cuda.end_stream(stream)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_a_shipped_model_answers_as_on_the_cpu(model: Path) -> None:
    shots = open_source(shared("demo/street"), topic=None, use_rois=False).shots()
    pictures = [shot.image for _, shot in zip(range(4), shots) if shot.image is not None]
    parity = compare(model, pictures, device="tensorrt", calls=5)
    assert parity.is_right, parity


def test_several_threads_and_sizes_at_once(detector_model: Path) -> None:
    engine = TrtEngine(detector_model, "tensorrt")
    wrong: list[tuple[int, int]] = []

    def ask(size: tuple[int, int]) -> None:
        for _ in range(50):
            boxes = engine.infer(solid("Red", *size)[None])["boxes"]
            if boxes[0].tolist() != [0, 0, size[1], size[0]]:
                wrong.append(size)

    threads = [threading.Thread(target=ask, args=(size,)) for size in ((64, 96), (480, 640), (32, 32))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    assert not wrong


def test_a_kept_engine_opens_without_a_build(signs_model: Path) -> None:
    open_engine(signs_model, device="tensorrt").close()
    engine = open_engine(signs_model, device="tensorrt", while_building="refuse")
    assert COLORS[engine.infer(solid("Red", 16, 16)[None])["scores"].argmax()] == "Red"
    engine.close()

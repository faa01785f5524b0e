"""A GPU that is not there: CUDA's memory and queue in the host's, and TensorRT's runtime by ONNX Runtime.

``install`` gives it to this process, and ``environment`` to processes that it starts. It keeps the rules of
the real one that are easy to break: what is queued happens when one waits, memory that was freed is gone,
and an engine takes only the shapes that it was built for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from perception.engines import builder, gpus, read_spec, trt
from perception.engines.builder import TensorRT
from perception.engines.cuda import Gpu
from perception.errors import DeviceError

BUILD_S = "FAKE_GPU_BUILD_S"  # seconds that a build takes
FAILS = "FAKE_GPU_FAILS"  # what a build says, and then fails
ON_REQUEST = "FAKE_GPU_SIZES_ON_REQUEST"  # the sizes of outputs are known only after the run


class FakeCuda:
    """See ``perception.engines.cuda.Cuda``."""

    made: FakeCuda  # the last one

    def __init__(self) -> None:
        self.memory: dict[int, np.ndarray] = {}
        self.pinned: dict[int, np.ndarray] = {}
        self.queues: dict[int, list[Callable[[], None]]] = {}
        FakeCuda.made = self

    def gpu(self) -> Gpu:
        return Gpu("Orin", (8, 7))

    def stream(self) -> int:
        self.queues[len(self.queues) + 7] = []
        return len(self.queues) + 6

    def end_stream(self, stream: int) -> None:
        del self.queues[stream]

    def allocate(self, size: int) -> int:
        memory = np.full(size, 0xA5, np.uint8)
        self.memory[memory.ctypes.data] = memory
        return memory.ctypes.data

    def free(self, address: int) -> None:
        self.memory.pop(address)[:] = 0x5A

    def pin(self, size: int) -> np.ndarray:
        memory = np.full(size, 0xA5, np.uint8)
        self.pinned[memory.ctypes.data] = memory
        return memory

    def unpin(self, memory: np.ndarray) -> None:
        self.pinned.pop(memory.ctypes.data)[:] = 0x5A

    def upload(self, address: int, memory: np.ndarray, stream: int) -> None:
        assert memory.ctypes.data in self.pinned
        self.queues[stream].append(lambda: self.write(address, memory))

    def download(self, memory: np.ndarray, address: int, stream: int) -> None:
        assert memory.ctypes.data in self.pinned
        self.queues[stream].append(lambda: np.copyto(memory, self.memory[address][: memory.nbytes]))

    def wait(self, stream: int) -> None:
        while self.queues[stream]:
            self.queues[stream].pop(0)()

    def write(self, address: int, content: np.ndarray) -> None:
        self.memory[address][: content.nbytes] = content.reshape(-1).view(np.uint8)


class Engine:
    """``ICudaEngine`` and its ``IExecutionContext`` in one."""

    def __init__(self, model: Path) -> None:
        self._session = onnxruntime.InferenceSession(model)
        self._bounds = builder.tensorrt_shapes(read_spec(model))
        self._addresses: dict[str, int] = {}
        self._allocators: dict[str, Any] = {}
        self._values = [*self._session.get_inputs(), *self._session.get_outputs()]
        self.num_io_tensors = len(self._values)

    def create_execution_context(self) -> Engine:
        return self

    def get_tensor_name(self, number: int) -> str:
        return self._values[number].name

    def get_tensor_mode(self, name: str) -> str:
        return "INPUT" if name == self._values[0].name else "OUTPUT"

    def get_tensor_dtype(self, name: str) -> Any:
        (kind,) = (value.type for value in self._values if value.name == name)
        return {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[kind]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name == self._values[0].name:
            return tuple(size if isinstance(size, int) else -1 for size in self._values[0].shape)
        shape = self._computed(np.zeros(self._shape, np.uint8))[name].shape
        return (-1, *shape[1:]) if os.environ.get(ON_REQUEST) else shape

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shape = shape
        least, most = self._bounds["min"], self._bounds["max"]
        return all(low <= size <= high for low, size, high in zip(least, shape, most, strict=True))

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        self._allocators[name] = allocator
        return True

    def execute_async_v3(self, stream: int) -> bool:
        FakeCuda.made.queues[stream].append(lambda: self._execute(stream))
        if self._allocators:  # TensorRT waits where sizes depend on values
            FakeCuda.made.wait(stream)
        return True

    def _execute(self, stream: int) -> None:
        cuda = FakeCuda.made
        size = int(np.prod(self._shape))
        frames = cuda.memory[self._addresses[self._values[0].name]][:size].reshape(self._shape)
        for name, output in self._computed(frames).items():
            if name in self._allocators:
                allocate = self._allocators[name].reallocate_output_async
                self._addresses[name] = allocate(name, 0, output.nbytes, 256, stream)
                self._allocators[name].notify_shape(name, output.shape)
            cuda.write(self._addresses[name], output)

    def _computed(self, frames: np.ndarray) -> Mapping[str, np.ndarray]:
        names = [value.name for value in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, {self._values[0].name: frames}), strict=True))


class Runtime:
    def __init__(self, log: Any) -> None:
        self._log = log

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        if not plan.startswith(b"engine of "):
            self._log.errors.append("the engine is of another driver")
            return None
        return Engine(Path(os.fsdecode(plan.removeprefix(b"engine of "))))


class Allocator:
    pass


MODULE = SimpleNamespace(
    __name__="tensorrt",
    __version__="10.3.0",
    Runtime=Runtime,
    IOutputAllocator=Allocator,
    TensorIOMode=SimpleNamespace(INPUT="INPUT", OUTPUT="OUTPUT"),
    nptype=np.dtype,
)


def build(source: builder.Source, tensorrt: TensorRT, gpu: Gpu, *, on_step: Any = None) -> bytes:
    """See ``builder.build``; takes BUILD_S."""
    time.sleep(float(os.environ.get(BUILD_S, "0")))
    if problem := os.environ.get(FAILS):
        raise DeviceError(f"{source.path}: {problem}; use device='cpu'")
    return b"engine of " + os.fsencode(source.path)


def install(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Give this process the GPU.

    Args:
        put: sets an attribute of a module, as ``monkeypatch.setattr`` does.
    """
    put(trt, "CudaPython", FakeCuda)
    put(builder, "tensorrt", lambda: TensorRT(MODULE, SimpleNamespace(errors=[])))
    put(builder, "build", build)
    put(builder, "MODULES", ("onnxruntime",))  # a module that is there
    put(gpus, "NVIDIA", ("/dev/null",))


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """The variables of a process that has the GPU.

    Args:
        folder: for what Python reads at the start of the process, and for the cache.
        settings: BUILD_S and the others.
    """
    (folder / "sitecustomize.py").write_text("import tests.gpu\ntests.gpu.install()\n")
    paths = [str(folder), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "XDG_CACHE_HOME": str(folder / "cache")}
    return {**os.environ, **variables, **settings}

"""Execution: an engine on the GPU, with a stream and buffers of its own.

frames ─► pinned memory ─► GPU ─► execute_async_v3 ─► GPU ─► pinned memory ─► arrays of the caller's own
└─────────────────────── one stream ────────────────────────┘
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.engines.builder import TensorRT
from perception.engines.checks import INPUT
from perception.engines.cuda import Cuda
from perception.errors import DeviceError


class Run:
    """An engine on the GPU with its stream and buffers; one inference at a time."""

    def __init__(self, path: Path, tensorrt: TensorRT, cuda: Cuda, plan: bytes) -> None:
        self._trt = tensorrt.module
        self._tensorrt = tensorrt
        self._cuda = cuda
        self._runtime = self._trt.Runtime(tensorrt.log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        self._context: Any = self._engine.create_execution_context() if self._engine else None
        if self._context is None:
            raise DeviceError(
                f"{path}: tensorrt did not come up ({tensorrt.why()}); free memory of the GPU by ending "
                "other programs, or build the engine again with: perception build --again"
            )
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        of_input = self._trt.TensorIOMode.INPUT
        self._outputs = [name for name in names if self._engine.get_tensor_mode(name) != of_input]
        self._types = {name: self._trt.nptype(self._engine.get_tensor_dtype(name)) for name in names}
        self.inputs = [
            (
                name,
                f"tensor({np.dtype(self._types[name]).name})",
                [size if size >= 0 else None for size in self._engine.get_tensor_shape(name)],
            )
            for name in names
            if name not in self._outputs
        ]
        self._stream = cuda.stream()
        self._buffers = {name: Buffer(cuda) for name in names}
        self._shapes = {name: _shapes_of_outputs(self._trt, self._buffers[name]) for name in self._outputs}

    def __call__(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Run it; the arrays belong to the caller."""
        context = self._context
        if not context.set_input_shape(INPUT, frames.shape):
            raise DeviceError(
                f"frames of {frames.shape} are none that its engine is built for ({self._tensorrt.why()}); "
                "give smaller ones, or use device='cpu'"
            )
        self._bind(INPUT, frames.nbytes)
        for name in self._outputs:
            shape = tuple(context.get_tensor_shape(name))
            if min(shape, default=0) < 0:  # known only after the run
                context.set_output_allocator(name, self._shapes[name])
            else:
                self._shapes[name].shape = shape
                self._bind(name, self._size(name))
        memory = self._buffers[INPUT].host(frames.nbytes)
        np.copyto(memory.reshape(frames.shape), frames)
        self._cuda.upload(self._buffers[INPUT].address, memory, self._stream)
        if not context.execute_async_v3(self._stream):
            raise DeviceError(self._tensorrt.why())
        sizes = {name: self._size(name) for name in self._outputs}
        for name, size in sizes.items():
            if size:
                self._cuda.download(self._buffers[name].host(size), self._buffers[name].address, self._stream)
        self._cuda.wait(self._stream)
        return {name: self._output(name, size) for name, size in sizes.items()}

    def close(self) -> None:
        """Free all, TensorRT's part before the memory that it uses."""
        self._context = self._engine = self._runtime = None
        self._shapes = {}
        for buffer in self._buffers.values():
            buffer.free()
        self._cuda.end_stream(self._stream)

    def _output(self, name: str, size: int) -> NDArray[Any]:
        values = self._buffers[name].host(size).view(self._types[name])
        output: NDArray[Any] = values.reshape(self._shapes[name].shape).copy()
        return output

    def _bind(self, name: str, size: int) -> None:
        self._context.set_tensor_address(name, self._buffers[name].grow(size))

    def _size(self, name: str) -> int:
        """Bytes of an output of the shape that it has now."""
        count = int(np.prod(self._shapes[name].shape, dtype=np.int64))
        return count * int(np.dtype(self._types[name]).itemsize)


class Buffer:
    """Memory on the GPU, and as much on the host that the GPU copies directly; grows as it is needed."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._host: NDArray[np.uint8] | None = None
        self.address = 0

    def grow(self, size: int) -> int:
        """Have room for so many bytes, and return the address on the GPU; what was in it is lost."""
        if self._host is None or self._host.nbytes < size:
            self.free()
            self.address = self._cuda.allocate(max(size, 1))
            self._host = self._cuda.pin(max(size, 1))
        return self.address

    def host(self, size: int) -> NDArray[np.uint8]:
        """The first bytes of the host's part."""
        assert self._host is not None  # it has grown before
        return self._host[:size]

    def free(self) -> None:
        """Give both back."""
        if self.address:
            self._cuda.free(self.address)
        self.address = 0
        if self._host is not None:
            self._cuda.unpin(self._host)
        self._host = None


def _shapes_of_outputs(trt: Any, buffer: Buffer) -> Any:
    """What TensorRT asks for memory, and reports the shape to, where that depends on what it computes."""

    class Output(trt.IOutputAllocator):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.shape: tuple[int, ...] = ()

        def reallocate_output(self, name: str, memory: int, size: int, alignment: int) -> int:
            try:
                return buffer.grow(size)
            except DeviceError:  # may not go through TensorRT, which takes 0 for no memory
                return 0

        def reallocate_output_async(
            self, name: str, memory: int, size: int, alignment: int, stream: int
        ) -> int:
            return self.reallocate_output(name, memory, size, alignment)

        def notify_shape(self, name: str, shape: Any) -> None:
            self.shape = tuple(shape)

    return Output()

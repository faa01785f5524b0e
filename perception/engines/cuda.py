"""Cuda: the few calls of CUDA that TensorRT's engine needs, and nothing else of this package makes any.

They go through NVIDIA's own package cuda-python. Tests have another class with the same methods.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perception.errors import DeviceError

MODULES = ("cuda.bindings.runtime", "cuda.cudart")  # of cuda-python from 12.8 on, and before
INSTALL = (
    "install cuda-bindings of your CUDA: pip install 'cuda-bindings==12.9.*' (JetPack 6), "
    "or 'cuda-bindings==13.*' (JetPack 7)"
)
DRIVER = (
    "install NVIDIA's driver, or choose a GPU by CUDA_VISIBLE_DEVICES; a container needs --runtime nvidia"
)


@dataclass(frozen=True)
class Gpu:
    """The GPU that this process computes on.

    Attributes:
        name: as NVIDIA writes it, such as ``"Orin"``.
        capability: compute capability, such as (8, 7).
    """

    name: str
    capability: tuple[int, int]


class Cuda(Protocol):
    """Memory, copies and a stream of one GPU. Addresses and streams are numbers.

    All raise DeviceError where CUDA reports an error.
    """

    def gpu(self) -> Gpu:
        """The GPU."""

    def stream(self) -> int:
        """A queue of work for the GPU, which does not wait for other queues."""

    def end_stream(self, stream: int) -> None:
        """Free it."""

    def allocate(self, size: int) -> int:
        """The address of so many bytes on the GPU."""

    def free(self, address: int) -> None:
        """Give them back."""

    def pin(self, size: int) -> NDArray[np.uint8]:
        """So many bytes of the host's that the GPU copies directly."""

    def unpin(self, memory: NDArray[np.uint8]) -> None:
        """Give them back; the array must not be used any more."""

    def upload(self, address: int, memory: NDArray[np.uint8], stream: int) -> None:
        """Queue a copy of all of ``memory`` to the GPU."""

    def download(self, memory: NDArray[np.uint8], address: int, stream: int) -> None:
        """Queue a copy from the GPU that fills ``memory``."""

    def wait(self, stream: int) -> None:
        """Until all that was queued is done."""


class CudaPython:
    """CUDA by cuda-python.

    Raises:
        DeviceError: cuda-python is missing, or it finds no GPU; the message ends with the remedy.
    """

    def __init__(self) -> None:
        self._cuda = _module()
        try:
            count = self._call("cudaGetDeviceCount")
        except DeviceError as error:
            raise DeviceError(f"no GPU: {error}; {DRIVER}") from error
        if not count:
            raise DeviceError(f"no GPU; {DRIVER}")
        # Whoever waits for the GPU sleeps, because by default it would spin on a core that other nodes need.
        with contextlib.suppress(DeviceError):  # another library has set it already
            self._call("cudaSetDeviceFlags", self._cuda.cudaDeviceScheduleBlockingSync)

    def gpu(self) -> Gpu:
        properties = self._call("cudaGetDeviceProperties", 0)
        return Gpu(properties.name.decode(errors="replace"), (properties.major, properties.minor))

    def stream(self) -> int:
        return int(self._call("cudaStreamCreateWithFlags", self._cuda.cudaStreamNonBlocking))

    def end_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", stream)

    def allocate(self, size: int) -> int:
        return int(self._call("cudaMalloc", size))

    def free(self, address: int) -> None:
        self._call("cudaFree", address)

    def pin(self, size: int) -> NDArray[np.uint8]:
        address = int(self._call("cudaMallocHost", size))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def unpin(self, memory: NDArray[np.uint8]) -> None:
        self._call("cudaFreeHost", memory.ctypes.data)

    def upload(self, address: int, memory: NDArray[np.uint8], stream: int) -> None:
        to_gpu = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, memory.ctypes.data, memory.nbytes, to_gpu, stream)

    def download(self, memory: NDArray[np.uint8], address: int, stream: int) -> None:
        to_host = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", memory.ctypes.data, address, memory.nbytes, to_host, stream)

    def wait(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function of CUDA: its result, or an error with CUDA's own words."""
        try:
            status, *results = getattr(self._cuda, name)(*arguments)
            if status == self._cuda.cudaError_t.cudaSuccess:
                return results[0] if results else None
            _, words = self._cuda.cudaGetErrorString(status)
        except RuntimeError as error:  # how cuda-python before 12.8 says that there is no driver
            raise DeviceError(f"{name}: {error}") from error
        raise DeviceError(f"{name}: {words.decode(errors='replace')}")


def _module() -> Any:
    problem = ""
    for name in MODULES:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            problem = problem or str(error)
    raise DeviceError(f"Python's CUDA is missing: {problem}; {INSTALL}")

"""Builder: a model file made into an engine by TensorRT; TensorRT for RTX needs no GPU to do so."""

from __future__ import annotations

import hashlib
import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception.engines.cache import Key
from perception.engines.checks import INPUT
from perception.engines.cuda import Gpu
from perception.engines.weights import external_names
from perception.errors import DeviceError
from perception.spec import ModelSpec
from perception.tasks import TASKS

MODULES = ("tensorrt", "tensorrt_rtx")  # of JetPack and PyPI; TensorRT for RTX, for PCs
OLDEST = (10, 3)  # of tensorrt: JetPack 6.1
INSTALL = (
    "on a Jetson install python3-libnvinfer and make the .venv with --system-site-packages, "
    "on a PC pip install tensorrt"
)
FULL_HD = 1920  # px, the longer side of the largest frame that an engine is built for

Step = Callable[[str, int, int], None]  # name of a phase, how many of its steps are done, and of how many

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorRT:
    """TensorRT as Python has it here.

    Attributes:
        module: ``tensorrt`` or ``tensorrt_rtx``, which have the same functions.
        log: its messages.
    """

    module: Any
    log: Any

    @property
    def is_rtx(self) -> bool:
        """Whether it is TensorRT for RTX: an engine runs on every GPU of a compute capability."""
        return bool(self.module.__name__ == "tensorrt_rtx")

    @property
    def version(self) -> str:
        """Name and version of the module."""
        return f"{self.module.__name__} {self.module.__version__}"

    def why(self) -> str:
        """What TensorRT said last that went wrong."""
        return self.log.errors[-1] if self.log.errors else "it does not say why"


def tensorrt() -> TensorRT:
    """TensorRT's Python module.

    Raises:
        DeviceError: it is missing or too old; the message ends with the remedy.
    """
    problem = ""
    for name in MODULES:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:  # a library of its own may be missing
            problem = problem or next(iter(str(error).splitlines()), "") or type(error).__name__
            continue
        version = tuple(int(part) for part in module.__version__.split(".")[:2])
        if name == "tensorrt" and version < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise DeviceError(f"TensorRT is {module.__version__}; install {oldest} (JetPack 6.1) or later")
        return TensorRT(module, _logger(module))
    raise DeviceError(f"TensorRT's Python module is missing: {problem}; {INSTALL}")


@dataclass(frozen=True)
class Source:
    """A model file, read once, so that what is built is what the key says.

    Attributes:
        path: the file.
        content: its bytes.
        spec: what it says about itself.
    """

    path: Path
    content: bytes
    spec: ModelSpec

    def key(self, tensorrt: TensorRT, gpu: Gpu) -> Key:
        """Which engine it becomes."""
        digest = hashlib.sha256(self.content)
        for name in external_names(self.content):  # weights beside it
            weights = self.path.parent / name
            digest.update(weights.read_bytes() if weights.is_file() else b"")
        return Key(
            model=digest.hexdigest(),
            tensorrt=tensorrt.version,
            gpu="" if tensorrt.is_rtx else gpu.name,
            capability=".".join(map(str, gpu.capability)),
            settings=repr(tensorrt_shapes(self.spec)),
        )


def build(source: Source, tensorrt: TensorRT, gpu: Gpu, *, on_step: Step | None = None) -> bytes:
    """Build an engine, which can take minutes. What is rounded to which type is decided by the file.

    Args:
        gpu: where it is to run. Only TensorRT for RTX builds for another than the one in this machine.
        on_step: is told of progress, by the thread that builds.

    Raises:
        DeviceError: TensorRT does not take the model, or there is not enough memory.
    """
    trt = tensorrt.module
    try:
        builder = trt.Builder(tensorrt.log)
    except TypeError as error:  # the binding's own words are about a null pointer
        raise DeviceError(
            f"{source.path}: TensorRT does not start: {tensorrt.why()}; see docs/tensorrt.md"
        ) from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, tensorrt.log)
    if not parser.parse(source.content, str(source.path)):
        problems = [str(parser.get_error(number)).strip() for number in range(parser.num_errors)]
        raise DeviceError(
            f"{source.path}: TensorRT does not take the model: {next(iter(problems), tensorrt.why())}; "
            "export it with operators that TensorRT has, or use device='cpu'"
        )
    config = builder.create_builder_config()
    _add_profile(source, builder, network, config)
    if tensorrt.is_rtx:
        _aim(source, trt, config, gpu)
    if on_step is not None:
        config.progress_monitor = _monitor(trt, on_step)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise DeviceError(
            f"{source.path}: TensorRT could not build an engine: {tensorrt.why()}; "
            "free memory by ending other programs, or use device='cpu'"
        )
    return bytes(engine)


def tensorrt_shapes(spec: ModelSpec) -> dict[str, tuple[int, int, int, int]]:
    """The smallest, usual and largest shape (N, H, W, 3) of the frames that a TensorRT engine is built for.

    Of free sizes, the largest is a square, because a camera may be turned, that holds Full HD and what
    the model was measured with.
    """
    batch = TASKS[spec.task].max_batch
    usual = spec.padded(spec.input_hw)
    if not spec.stride:
        return {"min": (1, *usual, 3), "opt": (1, *usual, 3), "max": (batch, *usual, 3)}
    side = max(FULL_HD, *usual)
    least, most = spec.padded((1, 1)), spec.padded((side, side))
    return {"min": (1, *least, 3), "opt": (1, *usual, 3), "max": (batch, *most, 3)}


def _add_profile(source: Source, builder: Any, network: Any, config: Any) -> None:
    """Say for which numbers and sizes of frames the engine is, if any is free."""
    for number in range(network.num_inputs):
        frames = network.get_input(number)
        if frames.name != INPUT or all(size >= 0 for size in frames.shape):
            continue
        profile = builder.create_optimization_profile()
        shapes = [
            tuple(fixed if fixed >= 0 else size for fixed, size in zip(frames.shape, shape, strict=True))
            for shape in tensorrt_shapes(source.spec).values()
        ]
        profile.set_shape(INPUT, *shapes)
        config.add_optimization_profile(profile)


def _aim(source: Source, trt: Any, config: Any, gpu: Gpu) -> None:
    """Say which GPUs the engine is for."""
    name = "SM" + "".join(map(str, gpu.capability))
    capability = getattr(trt.ComputeCapability, name, None)
    if capability is None:
        known = [name[2:] for name in trt.ComputeCapability.__members__ if name.startswith("SM")]
        wanted = ".".join(map(str, gpu.capability))
        raise DeviceError(
            f"{source.path}: TensorRT for RTX {trt.__version__} builds for GPUs of compute capability "
            f"{', '.join(f'{digits[:-1]}.{digits[-1]}' for digits in known)}, and not {wanted}; "
            "install tensorrt in its stead"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(capability, 0)


def _logger(trt: Any) -> Any:
    """What TensorRT reports to: errors are kept for our own messages, and nothing is printed."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors = [*self.errors[-9:], message.strip()]
            _log.debug("TensorRT: %s", message)

    return Log()


def _monitor(trt: Any, on_step: Step) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._steps[name] = steps
            on_step(name, 0, steps)

        def step_complete(self, name: str, step: int) -> bool:
            on_step(name, step + 1, self._steps.get(name, step + 1))
            return True

        def phase_finish(self, name: str) -> None:
            steps = self._steps.pop(name, 1)
            on_step(name, steps, steps)

    return Monitor()

"""Accelerators: whether models run on the GPU, and if not, what is in the way."""

from __future__ import annotations

from perception.doctor.board import Board, board, dotted
from perception.doctor.finding import Finding
from perception.doctor.host import Host, Ran
from perception.engines import builder, cuda
from perception.engines.gpus import NVIDIA
from perception.errors import PerceptionError
from perception.paths import shared

AREA = "accelerators"
OLDEST_GPU = (7, 5)  # docs.nvidia.com/deeplearning/tensorrt, support matrix of 10.16
MODEL = "models/signs.onnx"

_GPU = """
from perception.engines.cuda import CudaPython
from perception.errors import PerceptionError
try:
    gpu = CudaPython().gpu()
except PerceptionError as error:
    raise SystemExit(str(error))
print(*gpu.capability, gpu.name)
"""
_MODULE = "import {name}; print({name}.__version__)"
_BINDINGS = "from importlib.metadata import version; print(version('cuda-bindings'))"
_PROVIDERS = "import onnxruntime; print(*onnxruntime.get_available_providers())"
_UNBUILT = """
from perception.engines.trt import TrtEngine
from perception.paths import shared
from perception.tasks import TASKS
for task in TASKS.values():
    if task.file and TrtEngine.must_build(shared(f"models/{task.file}")):
        print(task.file)
"""
_OPEN = """
import perception
try:
    perception.load({path!r}, device={device!r}).close()
except perception.PerceptionError as error:
    raise SystemExit(str(error))
"""


def findings(host: Host) -> list[Finding]:
    """The CPU, the GPU, and the libraries that use it."""
    this = board(host)
    files = [name for name in NVIDIA if host.path(name).exists()]
    found = [_opens(host, "cpu")]
    if not files and this.kind != "jetson":
        return [*found, Finding(AREA, "GPU", "ok", "no NVIDIA GPU, so models run on the CPU")]
    if not files:
        text = f"none of {', '.join(NVIDIA)} is there"
        remedy = "start the container with --runtime nvidia; outside one, install JetPack again"
        return [*found, Finding(AREA, "GPU", "error", text, remedy)]
    gpu, tensorrt = _gpu(host), _tensorrt(host, this)
    engines = [_engines(host)] if (gpu.level, tensorrt.level) == ("ok", "ok") else []
    return [*found, gpu, tensorrt, *engines, *_bindings(host, this), *_cuda(host)]


def _gpu(host: Host) -> Finding:
    ran = host.python(_GPU)
    if ran is None or (ran.code and not ran.error):
        return Finding(AREA, "GPU", "unknown", f"CUDA does not answer{_crash(ran)}", cuda.DRIVER)
    if ran.code:
        problem, _, remedy = ran.error.partition("; ")
        return Finding(AREA, "GPU", "error", problem, remedy or cuda.DRIVER)
    gpu = _parsed(ran.out)
    if gpu is None:
        return Finding(AREA, "GPU", "unknown", f"CUDA says {ran.out!r}", cuda.DRIVER)
    text = f"{gpu.name}, compute capability {dotted(gpu.capability)}"
    if gpu.capability < OLDEST_GPU:
        remedy = f"device:=cpu; TensorRT needs a GPU of compute capability {dotted(OLDEST_GPU)}"
        return Finding(AREA, "GPU", "error", f"{text}: too old for TensorRT 10", remedy)
    return Finding(AREA, "GPU", "ok", text, values={"capability": dotted(gpu.capability)})


def _parsed(text: str) -> cuda.Gpu | None:
    major, _, rest = text.partition(" ")
    minor, _, name = rest.partition(" ")
    if not (major.isdecimal() and minor.isdecimal()):
        return None
    return cuda.Gpu(name, (int(major), int(minor)))


def _tensorrt(host: Host, this: Board) -> Finding:
    """Which TensorRT module Python finds, and whether it is JetPack's."""
    tried = {name: host.python(_MODULE.format(name=name)) for name in builder.MODULES}
    works = {name: ran.out for name, ran in tried.items() if ran and not ran.code and ran.out}
    if not works:
        return _no_tensorrt(host, this, tried["tensorrt"])
    name, version = next(iter(works.items()))
    text = f"{name} {version}"
    if name != "tensorrt":
        return Finding(AREA, "TensorRT", "ok", text)
    have = _major_minor(version)
    if have < builder.OLDEST:
        remedy = f"install TensorRT {dotted(builder.OLDEST)} or later; on a Jetson, JetPack 6.1 or later"
        return Finding(AREA, "TensorRT", "error", f"{text} misreads the models", remedy)
    if this.jetpack and have != this.jetpack.tensorrt:
        text += f", but JetPack {this.jetpack.name} brings {dotted(this.jetpack.tensorrt)}"
        remedy = "pip uninstall tensorrt in the .venv, so that JetPack's own is found"
        return Finding(AREA, "TensorRT", "warning", text, remedy)
    return Finding(AREA, "TensorRT", "ok", text)


def _no_tensorrt(host: Host, this: Board, ran: Ran | None) -> Finding:
    text = f"Python cannot import it{_crash(ran)}"
    if ran and ran.error and "No module named 'tensorrt'" not in ran.error:
        text = f"Python cannot import it: {ran.error}"
        remedy = "install the library that it names; in a container, take an image for this JetPack"
        return Finding(AREA, "TensorRT", "error", text, remedy)
    if this.kind != "jetson":
        return Finding(AREA, "TensorRT", "warning", text, builder.INSTALL)
    if found := host.find("/usr/lib/python3*/dist-packages/tensorrt"):
        remedy = "make clean && make PYTHON=/usr/bin/python3 setup, with ROS sourced: the .venv then sees it"
        return Finding(AREA, "TensorRT", "error", f"{text}, but it is in {found[0]}", remedy)
    return Finding(AREA, "TensorRT", "error", text, "sudo apt install python3-libnvinfer")


def _engines(host: Host) -> Finding:
    """Which of the shipped models TensorRT would have to build at the next start."""
    ran = host.python(_UNBUILT)
    if ran is None or ran.code:
        text = f"whether they are built is not known{_crash(ran)} {ran.error if ran else ''}".strip()
        return Finding(AREA, "engines", "unknown", text, "perception build")
    if unbuilt := ran.out.split():
        text = f"not built: {', '.join(unbuilt)}; until they are, the CPU answers"
        return Finding(AREA, "engines", "warning", text, "perception build")
    return Finding(AREA, "engines", "ok", "those of all shipped models are built")


def _bindings(host: Host, this: Board) -> list[Finding]:
    """Whether cuda-bindings is for the CUDA of the JetPack; on a PC, the driver takes older ones."""
    ran = host.python(_BINDINGS)
    if ran is None or ran.code or not this.jetpack:
        return []  # that it is missing is already in the finding about the GPU
    have, wanted = _major_minor(ran.out), this.jetpack.cuda
    if have[0] == wanted[0]:
        return [Finding(AREA, "cuda-bindings", "ok", ran.out)]
    text = f"{ran.out}, but JetPack {this.jetpack.name} has CUDA {dotted(wanted)}"
    return [Finding(AREA, "cuda-bindings", "warning", text, cuda.INSTALL)]


def _cuda(host: Host) -> list[Finding]:
    """ONNX Runtime on the GPU, tried with a model: a build may have no code for this very GPU."""
    ran = host.python(_PROVIDERS)
    if ran is None or ran.code:
        return []  # versions says that ONNX Runtime is missing
    if "CUDAExecutionProvider" not in ran.out.split():
        text = "this ONNX Runtime is for the CPU; device=tensorrt does not need another"
        return [Finding(AREA, "cuda", "ok", text)]
    return [_opens(host, "cuda")]


def _opens(host: Host, device: str) -> Finding:
    """Whether a model answers on a device."""
    try:
        path = shared(MODEL)
    except PerceptionError as error:
        return Finding(AREA, device, "unknown", str(error), "install the package with its models")
    ran = host.python(_OPEN.format(path=str(path), device=device))
    if ran is None:
        remedy = "run it again when the machine is idle"
        return Finding(AREA, device, "unknown", f"{path.name} did not open in time", remedy)
    if not ran.code:
        return Finding(AREA, device, "ok", f"{path.name} answers")
    problem, _, remedy = ran.error.partition("; ")
    remedy = remedy or ("make setup" if device == "cpu" else "device:=tensorrt, or device:=cpu")
    return Finding(AREA, device, "error", (problem or f"it fails{_crash(ran)}"), remedy)


def _crash(ran: Ran | None) -> str:
    if ran is None:
        return " in time"
    return f" (it crashed with signal {-ran.code})" if ran.code < 0 else ""


def _major_minor(version: str) -> tuple[int, int]:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    major, minor = [*numbers, 0, 0][:2]
    return major, minor

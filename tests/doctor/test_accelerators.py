from functools import partial
from pathlib import Path

import pytest

from perception.doctor import accelerators
from perception.doctor.host import Host, Ran, run
from tests.doctor.machines import machine, named, orin, pi

MISSING = Ran(1, "", "ModuleNotFoundError: No module named 'tensorrt'")
CUDA = {"onnxruntime.get": Ran(0, "CUDAExecutionProvider CPUExecutionProvider")}


def test_a_jetson_on_which_all_is_well(tmp_path: Path) -> None:
    found = accelerators.findings(orin(tmp_path))
    assert {finding.level for finding in found} == {"ok"}
    assert named(found, "GPU").found == "Orin, compute capability 8.7"
    assert named(found, "TensorRT").found == "tensorrt 10.3.0"
    assert named(found, "engines").found == "those of all shipped models are built"
    assert named(found, "cuda-bindings").found == "12.9.4"
    assert "device=tensorrt does not need another" in named(found, "cuda").found


@pytest.mark.parametrize(
    ("part", "answer", "name", "level", "said", "remedy"),
    [
        ("CudaPython", Ran(1, "", "no GPU: 100; get one"), "GPU", "error", "no GPU: 100", "get one"),
        ("CudaPython", Ran(-11, ""), "GPU", "unknown", "crashed with signal 11", "driver"),
        ("CudaPython", None, "GPU", "unknown", "in time", "driver"),
        ("CudaPython", Ran(0, "nonsense"), "GPU", "unknown", "nonsense", "driver"),
        ("CudaPython", Ran(0, "6 1 GTX 1080"), "GPU", "error", "6.1: too old", "7.5"),
        ("import tensorrt;", Ran(0, "8.6.2"), "TensorRT", "error", "8.6.2 misreads", "JetPack 6.1"),
        ("import tensorrt;", Ran(0, "10.16.2"), "TensorRT", "warning", "brings 10.3", "uninstall"),
        ("import tensorrt;", MISSING, "TensorRT", "error", "cannot import it", "python3-libnvinfer"),
        (
            "import tensorrt;",
            Ran(1, "", "ImportError: libnvdla_compiler.so: cannot open shared object file"),
            "TensorRT",
            "error",
            "libnvdla_compiler.so",
            "container",
        ),
        ("TrtEngine", Ran(0, "segnet.onnx\n"), "engines", "warning", "not built: segnet.onnx", "build"),
        ("TrtEngine", Ran(1, "", "out of memory"), "engines", "unknown", "out of memory", "build"),
        ("cuda-bindings", Ran(0, "13.5.0"), "cuda-bindings", "warning", "has CUDA 12.6", "12.9"),
        ("device='cpu'", Ran(1, "", "x.onnx: not ONNX; copy it"), "cpu", "error", "x.onnx: not ONNX", "copy"),
        ("device='cpu'", Ran(-4, ""), "cpu", "error", "crashed with signal 4", "make setup"),
        ("device='cpu'", None, "cpu", "unknown", "did not open in time", "idle"),
    ],
)
def test_what_is_in_the_way(
    tmp_path: Path, *, part: str, answer: Ran | None, name: str, level: str, said: str, remedy: str
) -> None:
    finding = named(accelerators.findings(orin(tmp_path, answers={part: answer})), name)
    assert finding.level == level and said in finding.found and remedy in finding.remedy


def test_tensorrt_that_the_venv_does_not_see(tmp_path: Path) -> None:
    module = "/usr/lib/python3.10/dist-packages/tensorrt/__init__.py"
    found = accelerators.findings(orin(tmp_path, {module: ""}, {"import tensorrt;": MISSING}))
    finding = named(found, "TensorRT")
    assert "it is in /usr/lib/python3.10/dist-packages/tensorrt" in finding.found
    assert "PYTHON=/usr/bin/python3" in finding.remedy
    assert "engines" not in {finding.name for finding in found}


def test_code_for_this_gpu_is_tried_and_not_believed(tmp_path: Path) -> None:
    none = Ran(1, "", "signs.onnx: cuda did not come up (no kernel image is available); install another")
    found = accelerators.findings(orin(tmp_path, answers={**CUDA, "device='cuda'": none}))
    assert named(found, "cuda").level == "error" and "no kernel image" in named(found, "cuda").found
    found = accelerators.findings(orin(tmp_path, answers={**CUDA, "device='cuda'": Ran(0, "")}))
    assert (named(found, "cuda").level, named(found, "cuda").found) == ("ok", "signs.onnx answers")


def test_a_container_of_a_jetson_without_its_gpu(tmp_path: Path) -> None:
    finding = named(accelerators.findings(orin(tmp_path, {"/dev/nvhost-gpu": None})), "GPU")
    assert finding.level == "error" and "--runtime nvidia" in finding.remedy


def test_a_pc_with_tensorrt_for_rtx_and_one_without(tmp_path: Path) -> None:
    answers = {
        "CudaPython": Ran(0, "8 9 NVIDIA GeForce RTX 4070"),
        "import tensorrt_rtx": Ran(0, "1.7.1"),
        "import tensorrt;": MISSING,
        "TrtEngine": Ran(0, ""),
        "device='cpu'": Ran(0, ""),
    }
    found = accelerators.findings(machine(tmp_path, {"/dev/nvidia0": ""}, answers))
    assert named(found, "TensorRT").found == "tensorrt_rtx 1.7.1"
    assert "cuda-bindings" not in {finding.name for finding in found}  # a PC's driver takes older ones
    gone = {**answers, "import tensorrt_rtx": MISSING}
    found = accelerators.findings(machine(tmp_path, {"/dev/nvidia0": ""}, gone))
    assert named(found, "TensorRT").level == "warning"


def test_without_a_gpu_only_the_cpu_is_tried(tmp_path: Path) -> None:
    found = accelerators.findings(pi(tmp_path))
    assert [(finding.name, finding.level) for finding in found] == [("cpu", "ok"), ("GPU", "ok")]


def test_the_shipped_model_answers_on_this_machine() -> None:
    finding = accelerators._opens(Host(run=partial(run, timeout_s=300.0)), "cpu")
    assert (finding.level, finding.found) == ("ok", "signs.onnx answers")

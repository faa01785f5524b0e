"""Measure what SegNet keeps in memory for the backward pass, and memory and time of its inference.

    python -m scripts.memory

The weights are random, because neither memory nor time depends on them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from perception.engines.checks import INPUT
from perception.engines.ort import OrtEngine
from perception.engines.threads import cores
from perception.spec import METADATA_KEY, ModelSpec
from training.losses import soft_iou
from training.malloc import return_freed
from training.segmentation.net import SegNet, SegNetCompact

CLASSES = 11
SIZE_HW = (360, 480)
BATCH = 4
TURNS = 12  # of each net, one frame a turn; the first ones are slower and do not move the median
RUNS = 3  # ONNX Runtime plans its memory in the first inference and takes it in the second
PROC = Path("/proc/self/status")
NOT_HERE = "not measured here"

NETS: dict[str, Callable[[], nn.Module]] = {
    "segnet, no checkpointing": lambda: SegNet(CLASSES, checkpointing="none"),
    "segnet, norms computed again": lambda: SegNet(CLASSES, checkpointing="norms"),
    "segnet, stages computed again": lambda: SegNet(CLASSES, checkpointing="stages"),
    "segnet_compact": lambda: SegNetCompact(CLASSES),
}


def kept(forward: Callable[[], Tensor], *, apart: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the backward pass, each storage once.

    Args:
        forward: computes what would be differentiated.
        apart: tensors that stay in memory anyway and do not count, such as parameters.
    """
    # Late: a fresh process that only infers need not load Lightning.
    from training.internals import storage_key

    storages = {}

    def note(tensor: Tensor) -> Tensor:
        storages[storage_key(tensor)] = tensor.untyped_storage()  # held, so that no other gets its key
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        forward()
    for tensor in apart:
        storages.pop(storage_key(tensor), None)
    return sum(storage.nbytes() for storage in storages.values())


def kept_by(make: Callable[[], nn.Module], frames_shape: tuple[int, ...], *, bf16: bool) -> int:
    """Bytes that a net keeps from a training step's forward pass, parameters and buffers apart.

    Nothing is computed, because fake tensors have a size and no content, so this takes a second on any
    machine. Their batch norms keep means in bf16 instead of fp32, which are some kilobytes.
    """
    from training.internals import fake_tensors

    with fake_tensors():
        net = make().train()
        frames = torch.zeros(frames_shape)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return kept(lambda: net(frames), apart=[*net.parameters(), *net.buffers()])


def kept_by_loss() -> int:
    """Bytes that the loss keeps on top, for any net."""
    logits = torch.randn(BATCH, CLASSES, *SIZE_HW, dtype=torch.bfloat16, requires_grad=True)
    ids = torch.randint(0, CLASSES, (BATCH, *SIZE_HW))

    def loss() -> Tensor:
        values = logits.float()
        return F.cross_entropy(values, ids) + soft_iou(values[..., ::2, ::2], ids[..., ::2, ::2])

    return kept(loss)


def cuda_peak(make: Callable[[], nn.Module]) -> int:
    """Most bytes allocated on the GPU in one forward and backward pass in bf16; weights and gradients too."""
    net = make().cuda().train()
    torch.cuda.reset_peak_memory_stats()
    with torch.autocast("cuda", torch.bfloat16):
        logits = net(torch.zeros(BATCH, 3, *SIZE_HW, device="cuda"))
    logits.float().mean().backward()
    return torch.cuda.max_memory_allocated()


def inference_peak(model: Path, sparing: bool) -> int:
    """Bytes by which this process grows at most when it opens a model and infers a few single frames.

    Args:
        model: the ``.onnx`` file.
        sparing: open it with :func:`sparing_session` and not as the runtime does.
    """
    before = resident("VmRSS")
    infer = opened(model, sparing=sparing)
    for _ in range(RUNS):
        infer(np.zeros((1, *SIZE_HW, 3), np.uint8))
    return resident("VmHWM") - before


def opened(model: Path, *, sparing: bool) -> Callable[[np.ndarray], object]:
    """What infers frames (N, H, W, 3) with a model on the CPU."""
    return sparing_session(model) if sparing else OrtEngine(model, device="cpu").infer


def sparing_session(model: Path) -> Callable[[np.ndarray], object]:
    """Open a model so that ONNX Runtime takes little more than the weights and the tensors alive, on a CPU.

    Its defaults trade memory for time: an arena that never shrinks; buffers that pass from tensor to tensor
    and are free only after the last of them; an order that computes the encoder's phases only when the
    decoder needs them, and holds their larger inputs until then; weights in a second, blocked layout.
    """
    return_freed()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = cores()
    options.enable_cpu_mem_arena = False
    options.enable_mem_reuse = False
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda frames: session.run(None, {INPUT: frames})


def resident(entry: str) -> int:
    """Bytes of this process in memory: ``VmRSS`` now, ``VmHWM`` at most so far."""
    line = next(line for line in PROC.read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) * 1024


def training_table() -> Table:
    """What each net keeps, by precision."""
    table = Table(title=f"Kept for the backward pass: batch {BATCH}, {SIZE_HW[0]}×{SIZE_HW[1]}, MB")
    for column in ("net", "fp32", "bf16", "peak on CUDA, bf16"):
        table.add_column(column, justify="left" if column == "net" else "right")
    shape = (BATCH, 3, *SIZE_HW)
    for name, make in NETS.items():
        peak = megabytes(cuda_peak(make)) if torch.cuda.is_available() else NOT_HERE
        sizes = (megabytes(kept_by(make, shape, bf16=bf16)) for bf16 in (False, True))
        table.add_row(name, *sizes, peak)
    loss = megabytes(kept_by_loss())
    table.add_row("the loss, on top", loss, loss, "")
    return table


def inference_table() -> Table:
    """What each exported net takes, and its INT8 version."""
    # Late: a fresh process that only infers need not load Lightning.
    from training.export import write
    from training.graph import wheel
    from training.onnx.int8 import to_int8
    from training.segmentation.graph import MaskGraph

    table = Table(
        title=f"Inference on a CPU: batch 1, {SIZE_HW[0]}×{SIZE_HW[1]}, most memory taken, MB; time, ms"
    )
    for column in ("model", "file", "as the runtime opens it", "its time", "opened sparingly", "its time"):
        is_name = column == "model"
        table.add_column(column, justify="left" if is_name else "right", no_wrap=is_name)
    labels = tuple(f"class {k}" for k in range(CLASSES))
    spec = ModelSpec("segmentation", labels, wheel(CLASSES), SIZE_HW, trained_on="nothing: random weights")
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for name, net in (("segnet", SegNet), ("segnet_compact", SegNetCompact)):
            exact, rounded = Path(folder) / f"{name}.onnx", Path(folder) / f"{name}.int8.onnx"
            write(MaskGraph(net(CLASSES), temperature=1.0).eval(), spec, exact)
            proto = to_int8(onnx.load(exact), np.zeros((1, *SIZE_HW, 3), np.uint8))
            onnx.helper.set_model_props(proto, {METADATA_KEY: spec.to_json()})
            onnx.save(proto, rounded)
            models += [exact, rounded]
        # What the runtime opens comes first, because a sparing session changes the process for good.
        times = {
            sparing: in_turns([opened(model, sparing=sparing) for model in models])
            for sparing in (False, True)
        }
        for index, model in enumerate(models):
            cells = [megabytes(model.stat().st_size)]
            for sparing in (False, True):
                cells += [megabytes(in_fresh_process(model, sparing=sparing)), f"{times[sparing][index]:.1f}"]
            table.add_row(model.stem, *cells)
    return table


def in_turns(infers: Sequence[Callable[[np.ndarray], object]]) -> list[float]:
    """Median milliseconds of one frame by each, in turns: other work of the machine slows all alike."""
    frames = np.zeros((1, *SIZE_HW, 3), np.uint8)
    took_ms = np.empty((TURNS, len(infers)))
    for turn in took_ms:
        for index, infer in enumerate(infers):
            start = time.perf_counter()
            infer(frames)
            turn[index] = (time.perf_counter() - start) * 1000.0
    return [float(ms) for ms in np.median(took_ms, axis=0)]


def in_fresh_process(model: Path, *, sparing: bool) -> int | None:
    """:func:`inference_peak` in a fresh process, which cannot reuse memory that others freed."""
    if not PROC.exists():
        return None
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(inference_peak, model, sparing).result()


def megabytes(size: int | None) -> str:
    """Bytes as 10⁶ bytes."""
    return NOT_HERE if size is None else f"{size / 1e6:,.0f}"


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(
        prog="python -m scripts.memory", description="Measure memory and time of SegNet."
    ).parse_args()
    console = Console()
    console.print(training_table())
    console.print(inference_table())


if __name__ == "__main__":
    main()

"""Whether TensorRT answers as the CPU does, and how fast it is: five minutes on a machine with an NVIDIA GPU.

    python -m scripts.tensorrt_parity --json parity.json

It opens each model on both, gives both the same frames of the shipped bag, compares all outputs, and times
them in turns. The exit code is 1 if an answer differs by more than LIMITS allow.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from perception.engines import DEVICES, builder, open_engine, trt
from perception.engines.contract import Engine
from perception.errors import DeviceError
from perception.frames import resize
from perception.machine import machine
from perception.paths import shared, writing
from perception.recordings.sources import open_source
from perception.spec import ModelSpec
from perception.tasks import TASKS

PICTURES = 8
BATCHES = (1, 8, 40)  # frames at a time, as far as a task takes several; 40 goes through in parts
SIZES_HW = ((480, 640), (720, 1280), (1280, 720))  # where sizes are free, beside the model's own
TURN = 5
# The GPU multiplies in TF32, and rounds a value between two steps of INT8 to the other one at times.
LIMITS = {"fp32": {"scores": 0.02, "ids": 0.005, "px": 1.0}, "int8": {"scores": 0.2, "ids": 0.03, "px": 4.0}}


@dataclass(frozen=True)
class Parity:
    """What was compared of one model.

    Attributes:
        model: name of the file.
        device: what was compared with the CPU.
        open_s: how long it took to open there; minutes if an engine had to be built.
        frames: how many were compared.
        scores: largest difference of a score, 0…1, or of a confidence, as a share of 255.
        ids: share of the pixels whose class differs, or of the frames whose best label does.
        px: largest difference of a box's corner whose score counts, in pixels.
        infer_ms: p50 and p99 of one call of the model's usual size, by device.
        is_right: nothing differs by more than its limit.
    """

    model: str
    device: str
    open_s: float
    frames: int
    scores: float
    ids: float
    px: float
    infer_ms: Mapping[str, tuple[float, float]]
    is_right: bool


def compare(path: Path, pictures: Sequence[NDArray[np.uint8]], *, device: str, calls: int) -> Parity:
    """Compare a device's answers with the CPU's, and time both.

    Raises:
        DeviceError: the device does not come up.
    """
    cpu = open_engine(path, device="cpu")
    began = time.perf_counter()
    engine = open_engine(path, device=device)
    open_s = time.perf_counter() - began
    differences = {"scores": 0.0, "ids": 0.0, "px": 0.0}
    frames = 0
    for batch in batches(cpu.spec, pictures):
        frames += len(batch)
        found = difference(cpu.spec, cpu.infer(batch), engine.infer(batch))
        differences = {name: max(value, found.get(name, 0.0)) for name, value in differences.items()}
    usual = next(batches(cpu.spec, pictures))
    infer_ms = timed({"cpu": cpu, engine.device: engine}, usual, calls)
    limits = LIMITS["int8" if path.name.endswith(".int8.onnx") else "fp32"]
    is_right = all(differences[name] <= limit for name, limit in limits.items())
    cpu.close()
    engine.close()
    return Parity(
        path.name, engine.device, open_s, frames, **differences, infer_ms=infer_ms, is_right=is_right
    )


def batches(spec: ModelSpec, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Frames of all numbers and sizes that a model takes, the usual ones first."""
    usual = spec.padded(spec.input_hw)
    sizes = [usual, *(spec.padded(size) for size in SIZES_HW)] if spec.stride else [usual]
    counts = [count for count in BATCHES if count == 1 or TASKS[spec.task].max_batch > 1]
    for size in sizes:
        for count in counts:
            for start in range(0, len(pictures), count):
                chosen = [pictures[(start + number) % len(pictures)] for number in range(count)]
                yield np.stack([resize(picture, size) for picture in chosen])


def difference(
    spec: ModelSpec, expected: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
) -> Mapping[str, float]:
    """By how much two answers differ, in the terms of ``Parity``."""
    found: dict[str, float] = {}
    counts = slice(None)
    if "boxes" in expected:  # those that hardly look like a sign may be in any order
        counts = slice(int((expected["scores"] >= spec.threshold).sum()))
    for name, output in TASKS[spec.task].outputs.items():
        before, after = expected[name][counts], outputs[name][counts]
        if output.holds_ids:
            found["ids"] = float((before != after).mean())
            continue
        apart = float(np.abs(before.astype(np.float64) - after).max(initial=0.0))
        unit = "px" if output.axes.endswith("4") else "scores"
        found[unit] = max(found.get(unit, 0.0), apart / (255 if before.dtype == np.uint8 else 1))
        if "K" in output.axes:
            found["ids"] = float((before.argmax(axis=1) != after.argmax(axis=1)).mean())
    return found


def timed(
    engines: Mapping[str, Engine], frames: NDArray[np.uint8], calls: int
) -> Mapping[str, tuple[float, float]]:
    """p50 and p99 in milliseconds of a call, in turns, so that other load slows all alike."""
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(0, calls, TURN):
        for name, engine in engines.items():
            for _ in range(TURN):
                began = time.perf_counter()
                engine.infer(frames)
                taken[name].append((time.perf_counter() - began) * 1000.0)
    return {
        name: (float(np.percentile(values, 50)), float(np.percentile(values, 99)))
        for name, values in taken.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the models, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="model files (default: all shipped ones)")
    parser.add_argument("--device", choices=DEVICES, default="tensorrt", help="default: tensorrt")
    parser.add_argument("--calls", type=int, default=100, help="timed calls of each model (default: 100)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here, too")
    options = parser.parse_args(arguments)
    shots = open_source(shared("demo/street"), topic=None, use_rois=False).shots()
    pictures = list(islice((shot.image for shot in shots if shot.image is not None), PICTURES))
    found = []
    for path in options.models or sorted(shared("models").glob("*.onnx")):
        try:
            found.append(compare(path, pictures, device=options.device, calls=options.calls))
        except DeviceError as error:
            print(f"tensorrt_parity: {error}", file=sys.stderr)
            return 1
        show(found[-1], Console())
    if options.json:
        where = {**machine(), **accelerator()}
        content = {"machine": where, "models": [asdict(parity) for parity in found]}
        with writing(options.json):
            options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0 if all(parity.is_right for parity in found) else 1


def accelerator() -> Mapping[str, str]:
    """GPU and TensorRT; empty without them."""
    try:
        version, gpu = builder.tensorrt().version, trt.CudaPython().gpu()
    except DeviceError:
        return {}
    capability = ".".join(map(str, gpu.capability))
    return {"gpu": gpu.name, "compute_capability": capability, "tensorrt": version}


def show(parity: Parity, console: Console) -> None:
    """Print what was compared of a model, in one line."""
    times = ", ".join(f"{name} {p50:.2f} ms (p99 {p99:.2f})" for name, (p50, p99) in parity.infer_ms.items())
    console.print(
        f"{parity.model}: {'the same' if parity.is_right else 'DIFFERENT'} over {parity.frames} frames: "
        f"scores by {parity.scores:.4f}, ids {parity.ids:.2%}, boxes by {parity.px:.2f} px; "
        f"opened in {parity.open_s:.1f} s; infer: {times}",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())

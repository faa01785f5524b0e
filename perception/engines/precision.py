"""Precision: whether a model runs on the CPU as it was trained, or in INT8.

The INT8 version of NAME.onnx is NAME.int8.onnx beside it, as ``python -m training quantize`` writes it.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perception.engines import accelerators, open_engine, read_spec
from perception.errors import InputError

PRECISIONS = ("auto", "fp32", "int8")
SUFFIX = ".int8.onnx"
# What multiplies bytes fast, as Linux names it: VNNI of x86-64, the dot product of ARM.
INSTRUCTIONS = ("avx512_vnni", "avx_vnni", "asimddp")
CPUINFO = Path("/proc/cpuinfo")
RUNS = 2  # of each file where nothing but the clock can say which is faster


@dataclass(frozen=True)
class Choice:
    """Which file to open.

    Attributes:
        path: the given file, or its INT8 version.
        reason: why, in words.
    """

    path: Path
    reason: str


def choose(path: Path, precision: str, device: str) -> Choice:
    """Choose between a model file and its INT8 version.

    ``"auto"`` takes INT8 if the model will run on the CPU, the file was made from this very model, and the
    processor multiplies bytes fast; of one that does not say so, both files are timed on a few frames.

    Args:
        path: the given file; if it is an INT8 version itself, it is taken.
        precision: one of PRECISIONS.
        device: see ``open_engine``.

    Raises:
        InputError: ``"int8"`` without such a file, or with one of another model; or ``"fp32"`` of an INT8
            file.
        ModelError: a file cannot be read.
    """
    if precision_of(path) == "int8":
        if precision == "fp32":
            raise InputError(f"{path}: is INT8, but precision is fp32; name the other file, or set auto")
        return Choice(path, "it is what the model names")
    if precision == "fp32":
        return Choice(path, "as precision orders")
    rounded = path.with_name(path.name.removesuffix(".onnx") + SUFFIX)
    problem = _unusable(path, rounded)
    if precision == "int8" and problem:
        raise InputError(f"{problem}; make it with 'python -m training quantize', or set precision to auto")
    if precision == "auto":
        return Choice(path, problem) if problem else _faster(path, rounded, device)
    return Choice(rounded, "as precision orders")


def precision_of(path: Path) -> str:
    """What a file is by its name: ``"int8"`` or ``"fp32"``."""
    return "int8" if path.name.endswith(SUFFIX) else "fp32"


def fast_bytes() -> str:
    """Which of INSTRUCTIONS the processor has; empty if it says none."""
    if not CPUINFO.exists():
        return ""
    lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    words = {
        word for line in lines if line.lower().startswith(("flags", "features")) for word in line.split()
    }
    return next((name for name in INSTRUCTIONS if name in words), "")


def _faster(path: Path, rounded: Path, device: str) -> Choice:
    """The file that is likely to be faster on a device."""
    if device not in ("auto", "cpu") or (device == "auto" and accelerators()):
        return Choice(path, "INT8 files are for CPUs")
    if instruction := fast_bytes():
        return Choice(rounded, f"this CPU multiplies bytes fast ({instruction})")
    share = _ms(rounded) / _ms(path)
    return Choice(rounded if share < 1 else path, f"measured now: INT8 takes {share:.2f} of the time")


def _unusable(path: Path, rounded: Path) -> str:
    """Why a file is not the INT8 version of a model; empty if it is."""
    if not path.is_file() or not rounded.is_file():
        return f"there is no {rounded.name} beside {path.name}"
    made_from = read_spec(rounded).source.get("int8_of", "")
    if made_from.endswith(f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"):
        return ""
    return f"{rounded.name} was not made from this {path.name}"


def _ms(path: Path) -> float:
    """Milliseconds of one frame on the CPU, at best."""
    times = []
    with closing(open_engine(path, device="cpu")) as engine:
        frames = np.zeros((1, *engine.spec.padded(engine.spec.input_hw), 3), np.uint8)
        for _ in range(RUNS):
            start = time.perf_counter()
            engine.infer(frames)
            times.append((time.perf_counter() - start) * 1000.0)
    return min(times)

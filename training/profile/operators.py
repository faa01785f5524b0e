"""Profile of an exported file: its operators as ONNX Runtime runs them on a CPU."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from perception.engines import read_spec
from perception.engines.checks import INPUT
from training.profile.counted import Counted, counted
from training.profile.measured import (
    ARITHMETIC,
    CONVOLUTIONS,
    LAYOUT,
    NO_MAP,
    PICKING,
    ROUNDING,
    Part,
    Profile,
)

WARM_UP = 3  # runs that do not count
_KERNEL = "_kernel_time"
_OPERATORS = {
    CONVOLUTIONS: "Conv FusedConv QLinearConv ConvInteger NhwcFusedConv ConvTranspose "
    "MatMul FusedMatMul FusedGemm Gemm QLinearMatMul QGemm MatMulInteger",
    PICKING: "Slice Concat QLinearConcat Where Gather GatherElements ScatterElements Split "
    "Expand Tile Pad TopK NonZero Resize Upsample",
    LAYOUT: "ReorderInput ReorderOutput Transpose Reshape Unsqueeze Squeeze Flatten DepthToSpace "
    "SpaceToDepth Identity",
    ROUNDING: "QuantizeLinear DequantizeLinear DynamicQuantizeLinear Cast",
}
_KIND = {operator: kind for kind, operators in _OPERATORS.items() for operator in operators.split()}


@dataclass(frozen=True)
class Node:
    """One operator of the graph that ran: its type, its least time, and what it writes."""

    operator: str
    time_ms: float
    written: int
    scale: str


def profile_file(model: Path, *, runs: int, threads: int) -> Profile:
    """Run a model file on a noisy frame and add up what its operators take.

    ONNX Runtime's own profile is of the graph that it made of the file, with fused and inserted operators,
    because that is what takes the time. Writing the profile takes a little of it, too.

    Args:
        model: an exported file.
        runs: that are timed.
        threads: of ONNX Runtime.

    Raises:
        ModelError: the file cannot be used.
    """
    spec = read_spec(model)
    size_hw = spec.padded(spec.input_hw)
    frames = np.random.default_rng(0).integers(0, 256, (1, *size_hw, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        session = _session(model, threads, Path(folder) / "profile")
        for _ in range(WARM_UP + runs):
            session.run(None, {INPUT: frames})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes, between_ms = _nodes(events, size_hw)
    parts = tuple(add_up(nodes, counted(onnx.load(model), (1, *size_hw, 3))))
    return Profile(model.name, "operators", size_hw, threads, between_ms, parts)


def _session(model: Path, threads: int, profile: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as the runtime has it
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _nodes(events: Sequence[dict[str, Any]], size_hw: tuple[int, int]) -> tuple[list[Node], float]:
    """The operators that ran, and the least milliseconds between them in a run."""
    wholes = np.array([one["dur"] / 1000.0 for one in events if one["name"] == "model_run"])
    times: dict[str, list[float]] = defaultdict(list)  # of each operator, one for each run
    about: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            times[event["name"]].append(event["dur"] / 1000.0)
            about[event["name"]] = event["args"]
    nodes = [
        Node(
            operator=about[name]["op_name"],
            time_ms=float(np.min(taken[WARM_UP:])),
            written=int(about[name].get("output_size", 0)),
            scale=scale_of(_shape(about[name]), size_hw),
        )
        for name, taken in times.items()
    ]
    between = wholes - np.sum(list(times.values()), axis=0)
    return nodes, float(np.min(between[WARM_UP:]))


def _shape(about: Mapping[str, Any]) -> Sequence[int]:
    """Of an operator's first output."""
    outputs = about.get("output_type_shape") or [{"": []}]
    return next(iter(outputs[0].values()))


def scale_of(shape: Sequence[int], size_hw: tuple[int, int]) -> str:
    """The resolution of a map as a share of the frame's sides: ``"1"``, ``"1/2"`` and so on.

    Args:
        shape: in any layout; a map that is about to be interleaved has its pixels in three axes.
        size_hw: of the frame, px.
    """
    pixels = [height * width for height, width in pairwise(shape) if _is_alike(height, width, size_hw)]
    if not pixels and len(shape) == 5:
        pixels = [math.prod(shape[2:])]
    if not pixels:
        return NO_MAP
    halvings = max(0, round(math.log(math.prod(size_hw) / pixels[0], 4)))
    return f"1/{2**halvings}" if halvings else "1"


def _is_alike(height: int, width: int, size_hw: tuple[int, int]) -> bool:
    """Whether a map has the frame's shape but for the padding to a multiple of some stride."""
    factor = size_hw[1] / max(width, 1)
    return min(height, width) > 1 and abs(height * factor - size_hw[0]) < 0.1 * size_hw[0] + factor / 2


def add_up(nodes: Sequence[Node], costs: Mapping[str, Counted]) -> Iterator[Part]:
    """One part for each type of operator, the longest first."""
    sums: dict[str, float] = defaultdict(float)
    for node in nodes:
        sums[node.operator] += node.time_ms
    for operator in sorted(sums, key=lambda operator: -sums[operator]):
        own = [node for node in nodes if node.operator == operator]
        by_scale: dict[str, float] = defaultdict(float)
        for node in own:
            by_scale[node.scale] += node.time_ms
        yield Part(
            name=operator,
            kind=_KIND.get(operator, ARITHMETIC),
            count=len(own),
            parameters=costs.get(operator, Counted()).parameters,
            macs=costs.get(operator, Counted()).macs,
            activation_bytes=sum(node.written for node in own),
            time_ms=sums[operator],
            time_ms_by_scale=dict(by_scale),
        )

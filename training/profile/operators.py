"""Profile of an exported file: its operators as ONNX Runtime runs them on a CPU."""

from __future__ import annotations

import json
import math
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from perception.engines import INPUT, read_spec
from training.profile.measured import Part, Profile

WARM_UP = 3  # runs that do not count
_KERNEL = "_kernel_time"


def profile_file(model: Path, *, runs: int, threads: int) -> Profile:
    """Run a model file on a grey frame and add up what its operators take.

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
    wholes = [one["dur"] / 1000.0 for one in events if one["name"] == "model_run"]
    total_ms = float(np.median(wholes[WARM_UP:]))
    counted = macs(onnx.load(model), (1, *size_hw, 3))
    return Profile(model.name, "operators", size_hw, threads, total_ms, tuple(_parts(events, counted)))


def _session(model: Path, threads: int, profile: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as the runtime has it
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _parts(events: list[dict[str, Any]], counted: Mapping[str, int]) -> Iterator[Part]:
    """One part for each type of operator, the longest first."""
    kernels = [one for one in events if one.get("cat") == "Node" and one["name"].endswith(_KERNEL)]
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    sizes: dict[str, int] = {}
    for event in kernels:
        name, arguments = event["name"].removesuffix(_KERNEL), event["args"]
        times[arguments["op_name"]][name].append(event["dur"] / 1000.0)
        sizes[name] = int(arguments.get("output_size", 0))
    medians = {
        kind: {name: float(np.median(values[WARM_UP:])) for name, values in nodes.items()}
        for kind, nodes in times.items()
    }
    for kind in sorted(medians, key=lambda kind: -sum(medians[kind].values())):
        nodes = medians[kind]
        yield Part(
            name=kind,
            count=len(nodes),
            parameters=0,
            macs=counted.get(kind, 0),
            activation_bytes=sum(sizes[name] for name in nodes),
            time_ms=sum(nodes.values()),
        )


def macs(model: onnx.ModelProto, frames: tuple[int, ...]) -> dict[str, int]:
    """Multiply-accumulates of a file's convolutions and matrix products for one frame, by operator type.

    Integer convolutions are counted under the name that ONNX Runtime gives them.
    """
    for axis, size in zip(model.graph.input[0].type.tensor_type.shape.dim, frames):
        axis.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.output)
    }
    shapes |= {constant.name: list(constant.dims) for constant in inferred.initializer}
    rounded = {node.output[0]: node.input[0] for node in inferred.node if node.op_type == "DequantizeLinear"}
    counted: dict[str, int] = defaultdict(int)
    for node in inferred.node:
        if node.op_type not in ("Conv", "MatMul", "Gemm"):
            continue
        is_integer = all(name in rounded for name in node.input[:2])
        weights = shapes.get(rounded.get(node.input[1], node.input[1]), [])
        each = math.prod(weights[1:]) if node.op_type == "Conv" else math.prod(weights[:1])
        kind = f"QLinear{node.op_type}" if is_integer else node.op_type
        counted[kind] += each * math.prod(shapes.get(node.output[0], [0]))
    return dict(counted)

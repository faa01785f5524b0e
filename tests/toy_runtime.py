"""A toy task, mean brightness, that only the tests know: its runtime and its model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from perception import ModelSpec
from perception.frames import Frame, check, resize
from perception.latency import Stopwatch
from perception.model import EngineModel, Result
from perception.spec import METADATA_KEY
from perception.tasks import Output, Task
from perception.topics import RELIABLE, Make, Origin, TaskTopics, Topic

NAME = "brightness"
TASK = Task(
    outputs={"level": Output("float32", "N")},
    runner="tests.toy_runtime:Photometer",
    topics="tests.toy_runtime:TOPICS",
    node="tests.nodes.test_toy_task:BrightnessNode",
    file="brightness.onnx",
)


@dataclass(frozen=True)
class Brightness:
    """How bright a frame is, 0…1."""

    level: float
    latency_ms: Mapping[str, float] = field(default_factory=dict)

    def fractions(self) -> dict[str, float]:
        return {"Brightness": self.level}

    def overlay(self, frame: Frame) -> Frame:
        picture = frame.copy()
        picture[: len(frame) // 8] = round(255 * self.level)
        return picture


class Photometer(EngineModel):
    """Says how bright a frame is."""

    task = NAME

    def __call__(self, frame: Frame) -> Brightness:
        watch = Stopwatch()
        check(frame)
        batch = np.ascontiguousarray(resize(frame, self.spec.input_hw))[np.newaxis]
        watch.lap("prepare")
        outputs = self.engine.infer(batch)
        watch.lap("infer")
        # A net that has learnt little goes beyond what a frame can be, and beyond what can be drawn.
        return Brightness(float(np.clip(outputs["level"][0], 0.0, 1.0)), watch.laps_ms)


def _build(make: Make, brightness: Brightness, origin: Origin) -> Any:
    return make("std_msgs/msg/Float32", data=brightness.level)


def _parse(message: Any, names: Mapping[int, str], palette: Any) -> Result:
    return Brightness(message.data)


_LEVEL = Topic("brightness/level", "std_msgs/msg/Float32", RELIABLE, _build)
TOPICS = TaskTopics((_LEVEL,), shown=_LEVEL, parse=_parse)


def write_toy_model(path: Path) -> Path:
    """Write a model file of the toy task (which a build of ``perception.tasks.TASKS`` must know)."""
    spec = ModelSpec(NAME, ("Brightness",), ((255, 255, 255),), (8, 8), metrics={"val_error": 0.0})
    nodes = [
        helper.make_node("Cast", ["frames"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["level"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["N", *spec.input_hw, 3])],
        [helper.make_tensor_value_info("level", TensorProto.FLOAT, ["N"])],
        [numpy_helper.from_array(np.float32(255), "full")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)
    return path

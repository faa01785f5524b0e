"""Tasks: the one table of what the runtime can do.

A new task is one line here and one in ``training/tasks.py``, one runtime file, one node file and one training
folder; nothing else names tasks. Classes are written as ``"module:name"`` and imported when they are needed,
because this table is imported by the modules that it names, and also on machines without ROS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

UNLABELLED = 255  # the class id of a pixel without a class


@dataclass(frozen=True)
class Output:
    """What one output of a model must be.

    Attributes:
        dtype: numpy's name of the element type.
        axes: one letter per axis: N frames, K labels, H and W of the frames, 4 four numbers, M any number,
            but the same in all outputs.
        holds_ids: the values are class ids, or UNLABELLED.
    """

    dtype: str
    axes: str
    holds_ids: bool = False


@dataclass(frozen=True)
class Task:
    """What the runtime knows about one task.

    Attributes:
        outputs: the model's outputs by name.
        max_batch: how many frames go through a model in one call. Above one, the first axis of the model's
            input must be free.
        runner: class of the algorithm, made from an engine (``perception.model.Model``); empty if there is
            none.
        topics: what a node publishes and how (``perception.topics.TaskTopics``).
        finder: the task whose model finds what this one's reads in a frame; empty if it answers about the
            frame itself.
        reader: makes one model of both, the finder first; empty without one.
        follower: makes of a model what follows its things through a stream (``perception.model.Follower``),
            given where boxes come from; empty if nothing is followed.
        node: class of the ROS 2 node.
        file: name of the shipped model file in ``models/``; empty if none ships.
        any_size: its runner can give the model frames of any size (``ModelSpec.stride``).
        decides: the threshold of the spec that says which things count: ``known`` of a classifier, ``found``
            of a detector.
        threshold: its value if the model file has none.
    """

    outputs: Mapping[str, Output]
    max_batch: int = 1
    runner: str = ""
    topics: str = ""
    node: str = ""
    file: str = ""
    finder: str = field(default="", kw_only=True)
    reader: str = field(default="", kw_only=True)
    follower: str = field(default="", kw_only=True)
    any_size: bool = field(default=False, kw_only=True)
    decides: str = field(default="known", kw_only=True)
    threshold: float = field(default=0.0, kw_only=True)


TASKS: dict[str, Task] = {
    "signs": Task(
        outputs={"scores": Output("float32", "NK"), "known": Output("float32", "N")},
        max_batch=32,
        runner="perception.signs:SignClassifier",
        topics="perception.topics:SIGNS",
        node="perception.nodes.signs:SignsNode",
        file="signs.onnx",
        finder="sign_detection",
        reader="perception.reader:SignReader",
        follower="perception.reader:SignFollower.of",
        threshold=0.5,
    ),
    "segmentation": Task(
        outputs={"mask": Output("uint8", "NHW", holds_ids=True), "confidence": Output("uint8", "NHW")},
        runner="perception.segmentation:Segmenter",
        topics="perception.topics:SEGMENTATION",
        node="perception.nodes.segmentation:SegmentationNode",
        file="segnet.onnx",
    ),
    "sign_detection": Task(
        outputs={"boxes": Output("float32", "M4"), "scores": Output("float32", "M")},
        runner="perception.detection:SignDetector",
        file="sign_detector.onnx",
        any_size=True,
        decides="found",
    ),
}


def resolve(reference: str) -> Any:
    """The object behind ``"module:name"``.

    Raises:
        ImportError: the module is missing, or one that it needs, such as rclpy.
    """
    return resolve_name(reference)


def shipped() -> dict[str, Task]:
    """The tasks with a shipped model file whose results are published, in the order of the table.

    A detector's results are not: it only says to another task's model where to look.
    """
    return {name: task for name, task in TASKS.items() if task.file and task.topics}

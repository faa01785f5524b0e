"""Recording: what a bag with images and the nodes' result topics says about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perception import boxes, frames, topics
from perception.model import Result
from perception.recordings.bag import BagReader
from perception.recordings.jumps import Axis
from perception.report.summary import Summary, overlay
from perception.spec import Color

Percentiles = tuple[float, ...]

_OVERLAP = 0.5  # intersection over union of a box that was found with one that is there


@dataclass
class Recording:
    """What is in a bag.

    Attributes:
        summary: frames, signs and mask shares, for a report.
        boxes: boxes that have a true class, of frames that were answered.
        found: how many of them overlap a box of the answer, by half of what both cover.
        known: how many of these were read as a known sign.
        right: how many of these were read as their true class.
        elsewhere: signs that were read where the bag has no box.
        nodes: node → the last values of its diagnostics.
    """

    summary: Summary
    boxes: int = 0
    found: int = 0
    known: int = 0
    right: int = 0
    elsewhere: int = 0
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)

    def stages(self) -> dict[str, Percentiles]:
        """Milliseconds (p50, p95, p99) by "node stage", as the nodes measured them."""
        stages: dict[str, Percentiles] = {}
        for node, values in self.nodes.items():
            for key in values:
                stage, mark, _ = key.partition("_ms_p50")
                if mark and stage != "age":  # recorded stamps are old, so age does not measure the nodes
                    stages[f"{node} {stage}"] = tuple(
                        float(values[f"{stage}_ms_{p}"]) for p in ("p50", "p95", "p99")
                    )
        return stages


@dataclass(frozen=True)
class _Answers:
    """How results of one task are read from its topic."""

    task: topics.TaskTopics
    names: Mapping[int, str]
    palette: Sequence[Color]

    def parse(self, message: Any) -> Result:
        return self.task.parse(message, self.names, self.palette)


def read_recording(
    path: Path, *, image: str, rois: str, palettes: Mapping[str, Sequence[Color]], period_s: float
) -> Recording:
    """Go through a recorded bag.

    Args:
        path: the bag.
        image: topic of the CompressedImages.
        rois: topic of the boxes, whose hypotheses are their true classes.
        palettes: task → colours of its labels, which no topic carries. Other tasks are ignored.
        period_s: from one image to the next.

    Raises:
        InputError: the bag cannot be read.
    """
    label_topics = {f"/{topics.label_info_name(task)}": task for task in palettes}
    with BagReader(path) as bag:
        recording = Recording(Summary(expected=bag.count(image), period_s=period_s))
        names: dict[str, Mapping[int, str]] = {}
        for topic, _, message in bag.messages([*label_topics, topics.DIAGNOSTICS]):
            if topic in label_topics:
                entries = {entry.class_id: entry.class_name for entry in message.class_map}
                names[label_topics[topic]] = entries
            else:
                for status in message.status:
                    node = status.name.partition(":")[0]
                    recording.nodes[node] = {value.key: value.value for value in status.values}
        answers = {
            f"/{own.shown.name}": _Answers(own, names.get(task, {}), palette)
            for task, palette in palettes.items()
            for own in [topics.of_task(task)]
        }
        _judge(recording, bag, rois, answers)
        _show(recording.summary, bag, image, answers)
    return recording


def _judge(recording: Recording, bag: BagReader, rois: str, answers: Mapping[str, _Answers]) -> None:
    """Compare the detections with the true boxes and classes of the same stamp."""
    truths = {topics.stamp_ns(message): message for _, _, message in bag.messages([rois])}
    detections = [name for name, answer in answers.items() if answer.task.shown.kind == topics.DETECTIONS]
    for _, _, message in bag.messages(detections):
        if truth := truths.get(topics.stamp_ns(message)):
            _judge_frame(recording, truth.detections, message.detections)


def _judge_frame(recording: Recording, truth: Sequence[Any], answer: Sequence[Any]) -> None:
    there, seen = (boxes.corners(boxes.rois(detections)) for detections in (truth, answer))
    pairs = boxes.pairs(there, seen, _OVERLAP)
    for index, true in enumerate(truth):
        if not true.results:
            continue
        recording.boxes += 1
        if index not in pairs:
            continue
        recording.found += 1
        answered = answer[pairs[index]]
        if answered.results:
            recording.known += 1
            right = answered.results[0].hypothesis.class_id == true.results[0].hypothesis.class_id
            recording.right += right
    alone = set(range(len(answer))) - set(pairs.values())
    recording.elsewhere += sum(bool(answer[index].results) for index in alone)


def _show(summary: Summary, bag: BagReader, image: str, answers: Mapping[str, _Answers]) -> None:
    """Pair each image with its results, whichever was recorded first."""
    expected: dict[int, set[str]] = {}
    for topic, _, message in bag.messages([image, *answers]):
        expected.setdefault(topics.stamp_ns(message), set()).add(topic)
    waiting: dict[int, dict[str, Any]] = {}
    axis = Axis(1.0 / summary.period_s)
    for topic, _, message in bag.messages([image, *answers]):
        stamp = topics.stamp_ns(message)
        own = waiting.setdefault(stamp, {})
        own[topic] = message
        if own.keys() != expected[stamp]:
            continue
        del waiting[stamp]
        results = [answer.parse(own[name]) for name, answer in answers.items() if name in own]
        if image not in own or not results:
            continue
        time_s = axis.at(stamp)
        if summary.wants_picture:
            picture = overlay(frames.from_compressed(own[image]), results)
            summary.add_picture(time_s, "", picture, results)
        summary.add(time_s, results)

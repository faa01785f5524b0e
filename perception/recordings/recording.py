"""Recording: what a bag with images and the nodes' result topics says about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perception import frames
from perception.boxes import corners, rois
from perception.recordings.bag import BagReader
from perception.recordings.sources import stamp_ns
from perception.report.summary import Summary, overlay
from perception.segmentation import RoadMask
from perception.signs import Sign, Signs
from perception.spec import Color

DETECTIONS, MASK, DIAGNOSTICS = "/signs/detections", "/segmentation/mask", "/diagnostics"
SIGN_LABELS, MASK_LABELS = "/signs/label_info", "/segmentation/label_info"

Percentiles = tuple[float, ...]


@dataclass
class Recording:
    """What was found in a bag.

    Attributes:
        summary: frames, signs and mask shares, for a report.
        boxes: boxes that a class came with, and that were answered.
        known: how many of them were taken for a known sign.
        right: how many of them got that very class.
        nodes: node → the last values of its diagnostics.
    """

    summary: Summary
    boxes: int = 0
    known: int = 0
    right: int = 0
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)

    def stages(self) -> dict[str, Percentiles]:
        """Milliseconds (p50, p95, p99) by "node stage", as the nodes measured them."""
        found: dict[str, Percentiles] = {}
        for node, values in self.nodes.items():
            for key in values:
                stage, mark, _ = key.partition("_ms_p50")
                if mark and stage != "age":  # recorded stamps are old; that says nothing about the nodes
                    found[f"{node} {stage}"] = tuple(
                        float(values[f"{stage}_ms_{p}"]) for p in ("p50", "p95", "p99")
                    )
        return found


def read_recording(
    path: Path, *, image: str, rois: str, palette: tuple[Color, ...], period_s: float
) -> Recording:
    """Go through a recorded bag.

    Args:
        path: the bag.
        image: topic of the CompressedImages.
        rois: topic of the boxes, whose hypotheses are their true classes.
        palette: colours of the mask's labels, which no topic carries.
        period_s: from one image to the next.

    Raises:
        InputError: the bag cannot be read.
    """
    with BagReader(path) as bag:
        recording = Recording(Summary(expected=bag.count(image), period_s=period_s))
        small = bag.messages([DETECTIONS, rois, SIGN_LABELS, MASK_LABELS, DIAGNOSTICS])
        labels: dict[str, dict[int, str]] = {}
        found: dict[str, dict[int, Any]] = {DETECTIONS: {}, rois: {}}
        for topic, _, message in small:
            if topic in (SIGN_LABELS, MASK_LABELS):
                labels[topic] = {entry.class_id: entry.class_name for entry in message.class_map}
            elif topic == DIAGNOSTICS:
                for status in message.status:
                    node = status.name.partition(":")[0]
                    recording.nodes[node] = {value.key: value.value for value in status.values}
            else:
                found[topic][stamp_ns(message)] = message
        _judge(recording, found[DETECTIONS], found[rois])
        signs = {stamp: _signs(message, labels[SIGN_LABELS]) for stamp, message in found[DETECTIONS].items()}
        mask_labels = tuple(labels[MASK_LABELS].values())
        _show(recording.summary, bag, image, signs=signs, labels=mask_labels, palette=palette)
    return recording


def _judge(recording: Recording, answers: Mapping[int, Any], truths: Mapping[int, Any]) -> None:
    for stamp, truth in truths.items():
        if stamp not in answers:
            continue
        for asked, answered in zip(truth.detections, answers[stamp].detections):
            if not asked.results:
                continue
            recording.boxes += 1
            if answered.results:
                recording.known += 1
                right = answered.results[0].hypothesis.class_id == asked.results[0].hypothesis.class_id
                recording.right += right


def _signs(message: Any, labels: Mapping[int, str]) -> Signs:
    signs = []
    for detection, (x1, y1, x2, y2) in zip(message.detections, corners(rois(message.detections)).tolist()):
        best = detection.results[0].hypothesis if detection.results else None
        class_id = int(best.class_id) if best else -1
        signs.append(
            Sign(
                class_id=class_id,
                label=labels.get(class_id, "unknown"),
                score=best.score if best else 0.0,
                known=float(best is not None),
                is_known=best is not None,
                box=(x1, y1, x2, y2),
                scores=np.zeros(0, np.float32),  # a topic carries the best one only
                latency_ms={},
            )
        )
    return Signs(tuple(signs))


def _show(
    summary: Summary,
    bag: BagReader,
    image: str,
    *,
    signs: Mapping[int, Signs],
    labels: tuple[str, ...],
    palette: tuple[Color, ...],
) -> None:
    """Bring each image together with its mask, whichever was recorded first, or with none."""
    masked = {stamp_ns(message) for _, _, message in bag.messages([MASK])}
    waiting: dict[int, tuple[str, Any]] = {}
    first_ns: int | None = None
    for topic, _, message in bag.messages([image, MASK]):
        stamp = stamp_ns(message)
        first_ns = stamp if first_ns is None else first_ns
        if stamp in masked and stamp not in waiting:
            waiting[stamp] = (topic, message)
            continue
        pair = dict([(topic, message), *([waiting.pop(stamp)] if stamp in waiting else [])])
        road = _road(pair[MASK], labels, palette) if MASK in pair else None
        seen = signs.get(stamp)
        if image not in pair or (road is None and seen is None):
            continue
        time_s = (stamp - first_ns) / 1e9
        if summary.wants_picture:
            picture = overlay(frames.from_compressed(pair[image]), seen, road)
            summary.add_picture(time_s, "", picture, seen)
        summary.add(time_s, seen, road)


def _road(message: Any, labels: tuple[str, ...], palette: tuple[Color, ...]) -> RoadMask:
    class_ids = message.data.reshape(message.height, message.step)[:, : message.width]
    return RoadMask(class_ids, np.zeros_like(class_ids), labels, palette)

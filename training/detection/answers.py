"""What a detector, and perhaps a classifier behind it, say of the pictures of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

import perception
from perception import SignClassifier, SignDetector
from training.datasets.images import BoxImage, BoxSet, DataError
from training.datasets.pictures import read_bgr
from training.datasets.text import plain
from training.detection.measure import Ranking

Boxes = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a detector, and perhaps a classifier, say of one picture.

    Attributes:
        image: its boxes are in pixels.
        wanted: (N, 4) the true boxes.
        found: (M, 4) boxes, best first.
        scores: (M,) of them.
        class_ids: (M,) that were read; empty without a classifier.
        surety: (M,) how sure all steps together are of the class.
    """

    image: BoxImage
    wanted: Boxes
    found: Boxes
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    surety: NDArray[np.float32]


def open_reader(path: Path, dataset: BoxSet, data: Path) -> SignClassifier:
    """Open a classifier that knows all classes which occur.

    Raises:
        DataError: it does not, or it is of another task.
        ModelError: it cannot be used.
    """
    classify = perception.load(path)
    if not isinstance(classify, SignClassifier):
        classify.close()
        raise DataError(f"{path} reads no signs; give a model file of the task signs, as models/signs.onnx")
    known = set(map(plain, classify.spec.labels))
    occurring = {dataset.labels[number] for image in dataset.images for number in image.class_ids}
    if others := sorted(occurring - known):
        classify.close()
        raise DataError(
            f"{data} has the class {others[0]!r}, which {path.name} does not know; leave out --reader to "
            "measure only what is found"
        )
    return classify


def answer(find: SignDetector, classify: SignClassifier | None, image: BoxImage) -> Answer:
    """Ask about one picture."""
    frame = read_bgr(image.path)
    wanted, found = image.pixels((frame.shape[0], frame.shape[1])), find(frame)
    signs = classify.classify_boxes(frame, found.xyxy) if classify and len(found) else ()
    return Answer(
        replace(image, boxes=tuple(map(tuple, wanted.tolist())), in_shares=False),
        wanted,
        found.xyxy,
        found.scores,
        np.array([sign.class_id for sign in signs], np.int64),
        np.array([sign.score * sign.known for sign in signs], np.float32) * found.scores[: len(signs)],
    )


def rank(answers: Sequence[Answer]) -> Ranking:
    """All boxes, best first."""
    return Ranking.of((one.found, one.scores, one.wanted) for one in answers)


def mean_average_precision(answers: Sequence[Answer], *, classes: bool = False) -> tuple[float, float]:
    """COCO's mean average precision at an overlap of 0.5, and its mean from 0.5 to 0.95.

    torchmetrics computes it by the same library, but needs torchvision for it.

    Args:
        answers: what was found.
        classes: of the classes that were read, the mean over those that occur; else all are signs.
    """
    wanted, found = [], []
    for number, one in enumerate(answers):
        own = one.image.class_ids if classes else [0] * len(one.wanted)
        wanted += list(_entries(number, one.wanted, own, [1.0] * len(own)))
        read = one.class_ids if classes else np.zeros(len(one.found), np.int64)
        found += list(_entries(number, one.found, read, one.surety if classes else one.scores))
    occurring = sorted({entry["category_id"] for entry in wanted})
    found = [entry for entry in found if entry["category_id"] in occurring]
    if not found:
        return 0.0, 0.0
    truth = COCO(
        {
            "images": [{"id": number} for number in range(len(answers))],
            "categories": [{"id": class_id} for class_id in occurring],
            "annotations": [{**entry, "id": number} for number, entry in enumerate(wanted, start=1)],
        }
    )
    measure = COCOeval_faster(truth, truth.loadRes(found), "bbox", print_function=lambda *_: None)
    measure.evaluate()
    measure.accumulate()
    measure.summarize()
    return float(measure.stats[1]), float(measure.stats[0])


def _entries(
    picture: int, boxes: Boxes, class_ids: Sequence[int] | NDArray[np.int64], scores: Iterable[float]
) -> Iterator[dict[str, Any]]:
    """Boxes as COCO has them."""
    for (x1, y1, x2, y2), class_id, score in zip(boxes.tolist(), class_ids, scores):
        yield {
            "image_id": picture,
            "category_id": int(class_id),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": float(score),
        }

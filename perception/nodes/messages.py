"""Results become messages, and boxes of messages become arrays. Nothing here knows about nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import (
    BoundingBox2D,
    Classification,
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
    Point2D,
    Pose2D,
    VisionClass,
)

from perception.signs import Sign, Signs
from perception.spec import ModelSpec


def image(pixels: NDArray[np.uint8], encoding: str, header: Header) -> Image:
    """An Image message with a copy of the pixels.

    Args:
        pixels: (H, W) or (H, W, C) uint8, C-contiguous.
        encoding: as in sensor_msgs/image_encodings.h.
        header: goes into the message as it is.
    """
    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding, step=pixels.strides[0])
    # Into the array that is there: assigning one costs a second copy (Jazzy) or, if it is bytes, a check of
    # every element, which takes a quarter of a second for a large frame (Humble).
    message.data.frombytes(pixels.data)
    return message


def label_info(spec: ModelSpec, header: Header) -> LabelInfo:
    """The class names behind the ids; the threshold is the one at which a sign counts as known."""
    names = [VisionClass(class_id=index, class_name=label) for index, label in enumerate(spec.labels)]
    return LabelInfo(header=header, class_map=names, threshold=spec.threshold)


def classification(signs: Signs, header: Header) -> Classification:
    """The known signs of a frame, surest first; no results mean: no known sign."""
    known = sorted((sign for sign in signs if sign), key=lambda sign: sign.score, reverse=True)
    return Classification(header=header, results=[_hypothesis(sign) for sign in known])


def detections(signs: Signs, regions: Sequence[Detection2D], header: Header) -> Detection2DArray:
    """What was found in each region, in the regions' order; no results mean: not a known sign.

    Args:
        signs: one per region.
        regions: their bbox and id are passed on.
        header: of the frame.
    """
    found = [
        Detection2D(header=header, bbox=region.bbox, id=region.id, results=[_located(sign)] if sign else [])
        for sign, region in zip(signs, regions)
    ]
    return Detection2DArray(header=header, detections=found)


def whole(frame: NDArray[np.uint8]) -> Detection2D:
    """The region that is the whole frame."""
    height, width = frame.shape[:2]
    center = Pose2D(position=Point2D(x=width / 2.0, y=height / 2.0))
    return Detection2D(bbox=BoundingBox2D(center=center, size_x=float(width), size_y=float(height)))


def _hypothesis(sign: Sign) -> ObjectHypothesis:
    return ObjectHypothesis(class_id=str(sign.class_id), score=float(sign.score))


def _located(sign: Sign) -> ObjectHypothesisWithPose:
    return ObjectHypothesisWithPose(hypothesis=_hypothesis(sign))

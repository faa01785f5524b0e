"""Classes of a track's mask, and how a mask that is drawn finer becomes one of the picture's size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED

FLOOR, LINE, OBJECT, ELSEWHERE, UNSURE = range(5)  # UNSURE becomes UNLABELLED
TIMES = 2  # pixels are drawn so much finer each way, and averaged


def averaged(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids at the picture's size: what most of a pixel is; a line where half of it is one."""
    size_wh = (ids.shape[1] // TIMES, ids.shape[0] // TIMES)
    votes = {
        label: cv2.resize(
            (ids == label).view(np.uint8) * np.uint8(240), size_wh, interpolation=cv2.INTER_AREA
        )
        for label in (LINE, FLOOR, OBJECT, ELSEWHERE, UNSURE)
    }
    winner, most = np.full(size_wh[::-1], LINE, np.uint8), votes[LINE]
    for label, count in votes.items():
        winner[count > most] = UNLABELLED if label == UNSURE else label
        most = np.maximum(most, count)
    return winner

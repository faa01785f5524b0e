"""Evidence as pictures: red speaks for an answer, blue against it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from perception.report.page import shown
from training.explain.methods import Heat

LEAST = 256  # px, width in which even a small crop can be looked at
FOR, AGAINST = (40, 40, 230), (230, 110, 30)  # BGR
PALE = 0.45  # how much of the picture's contrast is left below the evidence
LINE, AROUND_LINE = (255, 255, 255), (0, 0, 0)


def evidence(frame: Frame, heat: Heat, inside: NDArray[np.bool_] | None = None) -> Frame:
    """A map of evidence over its picture, the strongest as a full colour.

    Args:
        frame: (H, W, 3) uint8 BGR.
        heat: (H, W) above 0 for the answer, below 0 against it.
        inside: (H, W) of which the outline is drawn.
    """
    large = enlarged(frame)
    grey = cv2.cvtColor(cv2.cvtColor(large, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    pale = grey.astype(np.float32) * PALE + 255 * (1 - PALE)
    strongest = float(np.abs(heat).max()) or 1.0
    strength = cv2.resize(heat / strongest, large.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    colors = np.where(strength > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    mixed = pale + (colors - pale) * np.abs(strength) * 0.85
    return outlined(np.rint(mixed).astype(np.uint8), inside)


def picture(frame: Frame, inside: NDArray[np.bool_] | None = None) -> Frame:
    """The picture itself, as large as its evidence is drawn."""
    return outlined(enlarged(frame).copy(), inside)


def outlined(large: Frame, inside: NDArray[np.bool_] | None) -> Frame:
    """Draw the outline of a thing into a picture, which may be larger than ``inside``."""
    if inside is not None:
        mask = cv2.resize(inside.astype(np.uint8), large.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        lines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for color, width in ((AROUND_LINE, 3), (LINE, 1)):
            cv2.drawContours(large, lines, -1, color, width, cv2.LINE_AA)
    return shown(large)


def enlarged(frame: Frame) -> Frame:
    """A small picture so large that it can be looked at."""
    height, width = frame.shape[:2]
    if width >= LEAST:
        return frame
    size = (LEAST, max(1, round(height * LEAST / width)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8)

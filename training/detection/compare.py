"""How two models of boxes are compared: by which boxes they find in each frame, and how sure they are."""

from __future__ import annotations

import numpy as np

from training.comparison import Apart, Comparison, Outputs
from training.detection.measure import match

COUNTED = 0.1  # score from which on a box of either model counts
SAME = 0.7  # overlap of two boxes that are the same


def differences(ours: Outputs, theirs: Outputs) -> Apart:
    """For each box of a frame, whether both find it, and how far its scores are apart.

    A frame in which neither finds anything counts as one box that both find.
    """
    same, apart = [], []
    for one, other in ((ours, theirs), (theirs, ours)):
        counted = one["scores"] >= COUNTED
        which = match(one["boxes"][counted], other["boxes"], least=SAME)
        same.append(which >= 0)
        apart.append(np.abs(one["scores"][counted] - np.where(which < 0, 0, other["scores"][which])))
    all_same, all_apart = np.concatenate(same), np.concatenate(apart)
    return (all_same, all_apart) if len(all_same) else (np.ones(1, bool), np.zeros(1))


COMPARISON = Comparison(samples=60, differences=differences, fitted=frozenset({"slope", "offset"}))

"""Baseline: straight ahead, whatever the camera sees."""

import numpy as np


def drive(frame: np.ndarray, time_s: float) -> tuple[float, float]:
    """Half a metre in a second, and no bend."""
    return 0.5, 0.0

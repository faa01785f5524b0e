"""Solutions to 1_sign_classifier.ipynb."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, K) logits to (N, K) shares; each row sums to 1."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def gradient_of_logits(shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(N, K) shares and (N,) true class ids to (N, K), the gradient of the mean cross entropy."""
    gradient = shares.copy()
    gradient[np.arange(len(wanted)), wanted] -= 1
    return gradient / len(wanted)


def fast_gradient_sign(frames: np.ndarray, gradient: np.ndarray, radius: float) -> np.ndarray:
    """Frames (N, 3, H, W) in 0…255 and the loss's gradient with respect to them, to attacked frames."""
    return np.clip(frames + radius * np.sign(gradient), 0, 255)

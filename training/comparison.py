"""What the tasks' comparisons of models have in common: the forms that ``TASK/compare.py`` fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.spec import ModelSpec

Outputs = Mapping[str, NDArray[Any]]
Apart = tuple[NDArray[np.bool_], NDArray[np.floating]]


@dataclass(frozen=True)
class Comparison:
    """How ``export`` compares the written file with PyTorch.

    Attributes:
        samples: validation pictures to compare on.
        differences: how far the outputs of two models for the same frames are apart: for each picture, or
            each pixel, whether the answer is the same, and by how much, in 0…1, the models are not equally
            sure.
        fitted: entries of the spec's ``calibration`` that another model must have to lend it.
    """

    samples: int
    differences: Callable[[Outputs, Outputs], Apart]
    fitted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Parts:
    """A data set as the training of a model split it.

    Attributes:
        train: picture files to learn from.
        val: picture files to validate on.
        wanted: N right answers for ``val``, as ``Quantization.tally`` takes slices of them.
        is_unseen: the model has learnt from none of ``val``, as far as its spec says.
    """

    train: Sequence[Path]
    val: Sequence[Path]
    wanted: NDArray[Any] | Sequence[NDArray[Any]]
    is_unseen: bool


@dataclass(frozen=True)
class Quantization:
    """What ``quantize`` needs to know about a task.

    Attributes:
        read: (spec, root) to the parts of the model's data set; the answers have the model's input size.
        calibration: training pictures from which the ranges of INT8 are taken.
        agreement: share of the pictures, or pixels, in which INT8 and float must agree.
        counted: what that is a share of, ``"pictures"``, ``"pixels"`` or ``"boxes"``.
        batch: frames at a time.
        runs: timed runs of each model, to compare their speed.
        metric: name of the measure in the spec's ``metrics``.
        tally: (right answers, outputs, number of classes) of a batch to counts, which add up over batches.
        quality: those counts to the measure.
        load: picture files to frames (H, W, 3) uint8 BGR as the model takes them, of any sizes if ``batch``
            is one; None resizes all to the model's input size.
    """

    read: Callable[[ModelSpec, Path], Parts]
    calibration: int
    agreement: float
    counted: str
    batch: int
    runs: int
    metric: str
    tally: Callable[[Any, Outputs, int], NDArray[np.int64]]
    quality: Callable[[NDArray[np.int64]], float]
    load: Callable[[ModelSpec, Sequence[Path]], Sequence[NDArray[np.uint8]]] | None = None

"""Question: what a net is asked about one picture, in the form that all methods take."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.frames import Frame
from training.datasets.images import DataError
from training.opened import Opened


@dataclass(frozen=True, eq=False)
class Question:
    """Why does this net give this answer about this picture?

    Attributes:
        answer: what is explained, for people: a class, a box.
        score: 0…1, of the answer.
        model: (N, 3, H, W) float32 BGR in 0…255 to (N, K) scores without bounds, as log odds are.
        frames: (1, 3, H, W) float32 BGR in 0…255, the picture or the part of it that counts.
        target: which of the K scores.
        patch: px, side of what is covered at a time.
        step: px from one such patch to the next.
        inside: (H, W) where the thing itself is; None if nobody knows.
        layer: what Grad-CAM weighs: a module inside ``model``, the last whose features still have a place.
        stride: px of the picture that a cell of this layer stands for.
    """

    answer: str
    score: float
    model: nn.Module
    frames: Tensor
    target: int
    patch: int
    step: int
    inside: NDArray[np.bool_] | None = None
    layer: nn.Module | None = None
    stride: int = 1

    @property
    def frame(self) -> Frame:
        """The same picture as (H, W, 3) uint8 BGR."""
        return np.ascontiguousarray(self.frames[0].permute(1, 2, 0).numpy().astype(np.uint8))


@dataclass(frozen=True)
class Sample:
    """A thing in a picture of a data set.

    Attributes:
        path: of the picture.
        label: the thing's class.
        ask: reads the picture and asks why it is of this class; None if the net does not see it at all.
    """

    path: Path
    label: str
    ask: Callable[[], Question | None]


@dataclass(frozen=True)
class Samples:
    """What of a data set is looked at.

    Attributes:
        things: the classes take turns, so the first part of the things is a part of each class.
        remarks: what a reader must know.
    """

    things: Sequence[Sample]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explainer:
    """The entry of a task.

    Attributes:
        methods: keys of ``training.explain.methods.METHODS`` that suit its nets; the first finds shortcuts.
        questions: what is asked about a picture (H, W, 3) uint8 BGR: about the classes of these names, or
            about the net's own answers if there are none.
        slow: of these methods, those that are left out unless they are asked for.
        samples: the validation part of a data set, at most so many things of each class, with ``inside``;
            None if the task has no things, whose surroundings should not count.
    """

    methods: tuple[str, ...]
    questions: Callable[[Opened, Frame, Sequence[str]], Iterator[Question]]
    slow: tuple[str, ...] = ()
    samples: Callable[[Opened, Path, int], Samples] | None = None


def frozen(net: nn.Module) -> nn.Module:
    """A copy for evaluation, of whose weights nobody wants gradients."""
    return copy.deepcopy(net).eval().requires_grad_(False)


def as_frames(frame: Frame) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) float32."""
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float()


def class_ids(names: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Ids of the classes with these names.

    Raises:
        DataError: the net does not know one.
    """
    unknown = [name for name in names if name not in labels]
    if unknown:
        raise DataError(f"--label {unknown[0]!r} is no class of the net; it knows {', '.join(labels)}")
    return [labels.index(name) for name in names]


def in_turn(things: Sequence[Sample], limit: int) -> tuple[Sample, ...]:
    """At most so many things of each class, from all of its parts; the classes take turns."""
    by_class: dict[str, list[Sample]] = {}
    for thing in things:
        by_class.setdefault(thing.label, []).append(thing)
    chosen = [
        (rank, thing) for own in by_class.values() for rank, thing in enumerate(own[:: -(-len(own) // limit)])
    ]
    return tuple(thing for _, thing in sorted(chosen, key=lambda ranked: ranked[0]))
